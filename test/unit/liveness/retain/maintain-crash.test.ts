import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MaintenanceSummary } from "../../../../src/liveness/retain/maintain.ts";
import { expiryPartition } from "../../../../src/storage/rows/keys.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { drainOnce } from "../../fakes/maintenance.ts";
import { testInterruptions } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, type World } from "../../fakes/world.ts";

/** Work that is due, and the retention it is done under. */
interface Scenario {
  /** Part of the title. */
  what: string;
  sessionHours: number;
  arrange(sessionHours: number): Promise<World>;
  /** Counts of a run that is not interrupted. */
  expected: Partial<MaintenanceSummary>;
  /** Devices that still have rows after that run. */
  left: string[];
}

const eachOnce = { arrange: oneOfEach, expected: { due: 4, collected: 1, pruned: 1, purged: 1, abandoned: 1 } };
const left = ["device-to-collect", "device-to-prune"];
const scenarios: Scenario[] = [
  { what: "one session of each phase", sessionHours: 48, ...eachOnce, left },
  { what: "one session of each phase, still known to the service", sessionHours: 24, ...eachOnce, left },
  {
    ...{ what: "sessions overdue for collecting and pruning", sessionHours: 24, arrange: overdue },
    ...{ expected: { due: 3, collected: 3, pruned: 3 }, left: ["device-0", "device-1", "device-2"] },
  },
];

function maintain(process: Process, world: World, sessionHours: number) {
  return drainOnce(process, world, { retention: { sessionHours, outcomeDays: 90 } });
}

/**
 * Everything stored, with one id for all events: an event that is announced by a repetition has another id. In a list of events,
 * only the partition of a place matters.
 */
function withoutEventIds(world: World): unknown[] {
  const ids = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
  const isListedEvent = ({ partitionKey = "" }: { partitionKey?: string }) => partitionKey.startsWith("events_");
  const masked = (row: object) =>
    JSON.stringify(Object.entries({ ...row, ...(isListedEvent(row) && { idempotencyRowKey: "" }) }).sort()).replaceAll(
      ids,
      "an-event",
    );
  return Object.values(world.everything()).map((rows: object[]) => rows.map(masked).sort());
}

/** Repeats runs until one finds no row due. */
async function runUntilDone(world: World, sessionHours: number): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const summary = await maintain(world.start(), world, sessionHours);
    assert.equal(summary.failed, 0);
    if (summary.due === 0) return;
  }
  assert.fail("work is still due after five runs");
}

/** Makes failed sessions due now, so that the next run works on them at the same time as an undisturbed run. */
function skipBackoff({ tables: { expiry }, now }: World): void {
  const dueOn = new Date(now()).toISOString();
  for (const { partition, row, value } of expiry.all()) {
    if (value.failures === undefined) continue;
    expiry.remove(partition, row);
    expiry.put(expiryPartition(value.creationId, dueOn), row, { ...value, dueOn });
  }
}

/** Due are one session to collect, one to prune, one to purge, and one creation that crashed. */
async function oneOfEach(sessionHours: number): Promise<World> {
  const world = createWorld();
  await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-purge" });
  world.advance({ days: 90, hours: -sessionHours });
  await runUntilDone(world, sessionHours);
  await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-prune" }, realFace());
  world.advance({ hours: 1 });
  await runUntilDone(world, sessionHours);
  world.advance({ hours: sessionHours - 1, minutes: -12 });
  await seedSession(world, { deviceCorrelationId: "device-to-collect" }, failedAttempt(), realFace());
  const crashed = await seedSession(world, { uploads: true, deviceCorrelationId: "device-to-crash" });
  world.tables.records.remove(crashed.partition, crashed.row);
  world.tables.pointers.remove(crashed.record.sessionId, crashed.record.sessionId);
  world.advance({ minutes: 12 });
  return world;
}

async function overdue(sessionHours: number): Promise<World> {
  const world = createWorld();
  for (let made = 0; made < 3; made += 1) {
    const attempts = [failedAttempt(), realFace({ livenessDecision: "spoofface" })].slice(0, made);
    await seedSession(world, { uploads: true, deviceCorrelationId: `device-${made}` }, ...attempts);
  }
  world.advance({ hours: sessionHours });
  return world;
}

/**
 * Sessions are removed at the service only after the outcome is stored. The same holds for images, unless the run failed:
 * then they are removed at the end of their retention without it.
 */
function assertOutcomesFirst(world: World, { failed }: { failed: boolean }): void {
  for (const { value: record } of world.tables.records.all()) {
    if (record.final) continue;
    assert.ok(world.service.live.has(record.sessionId), "the service still knows the session");
    if (failed) continue;
    const uploaded = record.referenceImageId === record.creationId;
    assert.ok(!uploaded || world.blobs.images.has(`sessions/${record.creationId}`), "the image is still stored");
  }
}

for (const { what, sessionHours, arrange, expected, left } of scenarios) {
  describe(`run for ${what}`, async () => {
    const prepare = () => arrange(sessionHours);
    const run = (process: Process, world: World) => maintain(process, world, sessionHours);
    const undisturbed = await prepare();
    const { oldestDueOn: _, ...summary } = await run(undisturbed.start(), undisturbed);
    const end = withoutEventIds(undisturbed);

    test("not interrupted -> does all work that is due and keeps only the rows still needed", () => {
      const nothing = { collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0, left: 0 };
      assert.deepEqual(summary, { ...nothing, ...expected });
      const partitions = undisturbed.storage.sessions.all().map(({ partitionKey }) => partitionKey);
      assert.deepEqual([...new Set(partitions)], left);
      const devices = undisturbed.tables.pointers.all().map(({ value }) => value.deviceCorrelationId);
      assert.deepEqual([...new Set(devices)].sort(), left);
      const images = [...undisturbed.blobs.images.values()];
      assert.ok(images.every(({ facts }) => left.includes(facts.deviceCorrelationId ?? "")));
    });

    await testInterruptions("the next runs reach the same end", prepare, run, async (world, outcome) => {
      assertOutcomesFirst(world, { failed: !("stopped" in outcome) });
      skipBackoff(world);
      await runUntilDone(world, sessionHours);
      assert.deepEqual(withoutEventIds(world), end);
    });

    test("two concurrent runs -> reach the same end without failures", async () => {
      const world = await prepare();
      for (const { failed } of await Promise.all(
        [world.start(), world.start()].map((process) => run(process, world)),
      )) {
        assert.equal(failed, 0);
      }
      // A run that finds an outcome of the other one leaves its event to the next run.
      await runUntilDone(world, sessionHours);
      assert.deepEqual(withoutEventIds(world), end);
    });
  });
}
