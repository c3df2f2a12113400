import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drain } from "../../../src/liveness/maintain.ts";
import { failAt, type Moment, stopAt } from "../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, type Process, type World } from "../fakes/world.ts";

const maintain = (process: Process, world: World) => drain(process.maintenance(), world.now() + 60_000);

/** Runs the timer until nothing is due any more. */
async function runUntilDone(world: World): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const summary = await maintain(world.start(), world);
    assert.equal(summary.failed, 0);
    if (summary.due === 0) return;
  }
  assert.fail("The timer finds no end");
}

/** A world in which one session of each kind of work is due: collect, prune, purge, and a creation that crashed. */
async function busyWorld(): Promise<World> {
  const world = createWorld();
  await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-purge" });
  world.advance({ days: 88 });
  await runUntilDone(world);
  const pruned = await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-prune" });
  play(world.service, pruned.record.sessionId, realFace());
  world.advance({ hours: 24 });
  await runUntilDone(world);
  world.advance({ hours: 24, minutes: -12 });
  const collected = await seedSession(world, { deviceCorrelationId: "device-to-collect" });
  play(world.service, collected.record.sessionId, failedAttempt());
  play(world.service, collected.record.sessionId, realFace());
  const crashed = await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-crash" });
  world.tables.records.remove(crashed.partition, crashed.row);
  world.tables.pointers.remove(crashed.record.sessionId, crashed.record.sessionId);
  world.advance({ minutes: 12 });
  return world;
}

/** The calls of one undisturbed run, and what it leaves behind. */
async function undisturbed(): Promise<{ count: number; end: object }> {
  const world = await busyWorld();
  const process = world.start();
  const { oldestDueOn: _, ...summary } = await maintain(process, world);
  const counts = { collected: 1, pruned: 1, purged: 1, abandoned: 1, failed: 0, setAside: 0, left: 0 };
  assert.deepEqual(summary, { due: 4, ...counts });
  return { count: process.calls.names.length, end: world.everything() };
}

it("leaves of each session what is to be kept, and nothing else", async () => {
  const { end } = await undisturbed();
  const devices = new Set(JSON.stringify(end).match(/device-to-[a-z]+/g));
  assert.deepEqual([...devices].sort(), ["device-to-collect", "device-to-prune"]);
});

describe("a run ends as an undisturbed one does", () => {
  for (const when of ["before", "after"] as const satisfies Moment["when"][]) {
    it(`when it was stopped ${when} any of its calls, and run again`, async () => {
      const { count, end } = await undisturbed();
      for (let number = 1; number <= count; number += 1) {
        const world = await busyWorld();
        const process = world.start(stopAt(number, when));
        assert.deepEqual(await process.attempt(() => maintain(process, world)), { stopped: true });
        await runUntilDone(world);
        assert.deepEqual(world.everything(), end, `call ${number}: ${process.calls.names.at(-1)}`);
      }
    });

    it(`when any of its calls failed ${when} its effect, and run again`, async () => {
      const { count, end } = await undisturbed();
      for (let number = 1; number <= count; number += 1) {
        const world = await busyWorld();
        const process = world.start(failAt(number, when));
        await process.attempt(() => maintain(process, world));
        await runUntilDone(world);
        assert.deepEqual(world.everything(), end, `call ${number}: ${process.calls.names[number - 1]}`);
      }
    });
  }

  it("when another runs at the same time", async () => {
    const { end } = await undisturbed();
    const world = await busyWorld();
    const summaries = await Promise.all([world.start(), world.start()].map((process) => maintain(process, world)));
    assert.deepEqual(
      summaries.map(({ failed }) => failed),
      [0, 0],
    );
    assert.deepEqual(world.everything(), end);
  });
});
