import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { drain, type MaintenanceSummary } from "../../../../src/liveness/retain/maintain.ts";
import { expiryPartition } from "../../../../src/storage/rows/keys.ts";
import { failAt, type Moment, stopAt } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, type World } from "../../fakes/world.ts";

/** Work that is due, and how long sessions are kept there. */
interface Scenario {
  what: string;
  sessionHours: number;
  arrange(sessionHours: number): Promise<World>;
  /** What one undisturbed run does. */
  expected: Partial<MaintenanceSummary>;
  /** Whose rows are left after that. */
  left: string[];
}

const busy = { due: 4, collected: 1, pruned: 1, purged: 1, abandoned: 1 };
const leftByBusy = ["device-to-collect", "device-to-prune"];
const scenarios: Scenario[] = [
  { what: "one of each", sessionHours: 48, arrange: oneOfEach, expected: busy, left: leftByBusy },
  {
    ...{ what: "one of each, which the service still knows", sessionHours: 24 },
    ...{ arrange: oneOfEach, expected: busy, left: leftByBusy },
  },
  {
    ...{ what: "everything at once, as nobody has looked before", sessionHours: 24, arrange: neglected },
    ...{ expected: { due: 3, collected: 3, pruned: 3 }, left: ["device-0", "device-1", "device-2"] },
  },
];

function maintain(process: Process, world: World, sessionHours: number) {
  return drain(process.maintenance({ retention: { sessionHours, outcomeDays: 90 } }), world.now() + 60_000);
}

/** Runs the timer until nothing is due any more. */
async function runUntilDone(world: World, sessionHours: number): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const summary = await maintain(world.start(), world, sessionHours);
    assert.equal(summary.failed, 0);
    if (summary.due === 0) return;
  }
  assert.fail("The timer finds no end");
}

/** Makes the sessions that have failed due at once, so that the next run has the time of an undisturbed one. */
function skipBackoff({ tables: { expiry }, now }: World): void {
  const dueOn = new Date(now()).toISOString();
  for (const { partition, row, value } of expiry.all()) {
    if (value.failures === undefined) continue;
    expiry.remove(partition, row);
    expiry.put(expiryPartition(value.creationId, dueOn), row, { ...value, dueOn });
  }
}

/** One session of each kind of work is due: collect, prune, purge, and a creation that crashed. */
async function oneOfEach(sessionHours: number): Promise<World> {
  const world = createWorld();
  await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-purge" });
  world.advance({ days: 90, hours: -sessionHours });
  await runUntilDone(world, sessionHours);
  const pruned = await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-prune" });
  play(world.service, pruned.record.sessionId, realFace());
  world.advance({ hours: 1 });
  await runUntilDone(world, sessionHours);
  world.advance({ hours: sessionHours - 1, minutes: -12 });
  const collected = await seedSession(world, { deviceCorrelationId: "device-to-collect" });
  play(world.service, collected.record.sessionId, failedAttempt());
  play(world.service, collected.record.sessionId, realFace());
  const crashed = await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-crash" });
  world.tables.records.remove(crashed.partition, crashed.row);
  world.tables.pointers.remove(crashed.record.sessionId, crashed.record.sessionId);
  world.advance({ minutes: 12 });
  return world;
}

async function neglected(sessionHours: number): Promise<World> {
  const world = createWorld();
  for (let number = 0; number < 3; number += 1) {
    const { record } = await seedSession(world, { uploads: true, deviceCorrelationId: `device-${number}` });
    if (number > 0) play(world.service, record.sessionId, failedAttempt());
    if (number > 1) play(world.service, record.sessionId, realFace({ livenessDecision: "spoofface" }));
  }
  world.advance({ hours: sessionHours });
  return world;
}

/** Nothing is removed anywhere before the outcome is stored; only images are removed in time whatever fails. */
function assertOutcomesFirst(world: World, what: string, { failed = false } = {}): void {
  for (const { value: record } of world.tables.records.all()) {
    if (record.final) continue;
    assert.ok(world.service.live.has(record.sessionId), `${what}: the service has it`);
    if (failed) continue;
    const uploaded = record.referenceImageId === record.creationId;
    assert.ok(!uploaded || world.blobs.images.has(`sessions/${record.creationId}`), `${what}: so has the image store`);
  }
}

for (const { what, sessionHours, arrange, expected, left } of scenarios) {
  describe(`a run for ${what}`, () => {
    /** The calls of one undisturbed run, and what it leaves behind. */
    async function undisturbed(): Promise<{ count: number; end: object }> {
      const world = await arrange(sessionHours);
      const process = world.start();
      const { oldestDueOn: _, ...summary } = await maintain(process, world, sessionHours);
      const nothing = { collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0, left: 0 };
      assert.deepEqual(summary, { ...nothing, ...expected });
      return { count: process.calls.names.length, end: world.everything() };
    }

    test("leaves of each session what is to be kept, and nothing else", async () => {
      const { end } = await undisturbed();
      const devices = new Set(JSON.stringify(end).match(/device-[a-z0-9-]+/g));
      assert.deepEqual([...devices].sort(), left);
    });

    for (const when of ["before", "after"] as const satisfies Moment["when"][]) {
      test(`ends no other when it was stopped ${when} any of its calls, and run again`, async () => {
        const { count, end } = await undisturbed();
        for (let number = 1; number <= count; number += 1) {
          const world = await arrange(sessionHours);
          const process = world.start(stopAt(number, when));
          assert.deepEqual(await process.attempt(() => maintain(process, world, sessionHours)), { stopped: true });
          const call = `call ${number}: ${process.calls.names.at(-1)}`;
          assertOutcomesFirst(world, call);
          await runUntilDone(world, sessionHours);
          assert.deepEqual(world.everything(), end, call);
        }
      });

      test(`ends no other when any of its calls failed ${when} its effect, and run again`, async () => {
        const { count, end } = await undisturbed();
        for (let number = 1; number <= count; number += 1) {
          const world = await arrange(sessionHours);
          const process = world.start(failAt(number, when));
          await process.attempt(() => maintain(process, world, sessionHours));
          const call = `call ${number}: ${process.calls.names[number - 1]}`;
          assertOutcomesFirst(world, call, { failed: true });
          skipBackoff(world);
          await runUntilDone(world, sessionHours);
          assert.deepEqual(world.everything(), end, call);
        }
      });
    }

    test("ends no other when another runs at the same time", async () => {
      const { end } = await undisturbed();
      const world = await arrange(sessionHours);
      const processes = [world.start(), world.start()];
      const summaries = await Promise.all(processes.map((process) => maintain(process, world, sessionHours)));
      assert.deepEqual(
        summaries.map(({ failed }) => failed),
        [0, 0],
      );
      assert.deepEqual(world.everything(), end);
    });
  });
}
