import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { drain, type MaintainDeps, type MaintenanceSummary } from "../../../../src/liveness/retain/maintain.ts";
import { readPlace } from "../../../../src/storage/rows/references.ts";
import { failOn, type Hook } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type World } from "../../fakes/world.ts";

type Counts = Omit<MaintenanceSummary, "due" | "oldestDueOn">;
const none: Counts = { collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0, left: 0 };

/** One run of the timer that does not reach its deadline: counts, failures, and calls without the queries for due rows. */
async function run(world: World, options: Partial<MaintainDeps> = {}, hook?: Hook) {
  const process = world.start(hook);
  const maintenance = process.maintenance(options);
  const { due, oldestDueOn, ...summary } = await drain(maintenance, world.now() + 60_000);
  const names = process.calls.names.filter((name) => name !== "expiry.query");
  return { summary, due, oldestDueOn, names, failures: maintenance.failures };
}

const find = (world: World) => world.start().deps.sessions.find(world.record().sessionId);

const dueRows = (world: World) => world.tables.expiry.all().map(({ value: { phase, dueOn } }) => [phase, dueOn]);

/** A session with a result that is not recorded, due for collecting. */
async function due(seed: Parameters<typeof seedSession>[1] = {}) {
  const world = createWorld();
  const { record } = await seedSession(world, seed);
  play(world.service, record.sessionId, failedAttempt());
  play(world.service, record.sessionId, realFace());
  world.advance({ minutes: 12 });
  return world;
}

/** Sessions are pruned after a day, while the service still knows them. */
const dayLong = { retention: { sessionHours: 24, outcomeDays: 90 } };

/** A collected session, due for pruning. */
async function duePrune(seed: Parameters<typeof seedSession>[1] = {}, hours = 48) {
  const world = await due(seed);
  await run(world, { retention: { sessionHours: hours, outcomeDays: 90 } });
  world.advance({ hours, minutes: -12 });
  return world;
}

describe("collecting", () => {
  test("session whose token has ended two minutes ago -> Expired and inconclusive, not earlier", async () => {
    const world = createWorld();
    await seedSession(world);
    world.advance({ minutes: 12, seconds: -1 });
    assert.deepEqual((await run(world)).summary, none);
    world.advance({ seconds: 1 });
    assert.deepEqual((await run(world)).summary, { ...none, collected: 1 });
    const { status, final, decision } = world.record();
    assert.deepEqual([status, final, decision], ["Expired", true, "inconclusive"]);
  });

  test("session with a result -> records outcome and audit entries before it schedules pruning", async () => {
    const world = await due();
    const { summary, names } = await run(world);
    assert.deepEqual(summary, { ...none, collected: 1 });
    assert.deepEqual([world.record().decision, world.tables.entries.all().length], ["accepted", 2]);
    assert.deepEqual(dueRows(world), [["prune", "2026-03-03T12:00:00.000Z"]]);
    assert.equal(world.service.live.size, 1);
    assert.ok(names.indexOf("sessions.transact") >= 0);
    assert.ok(names.indexOf("sessions.transact") < names.indexOf("expiry.put"));
  });

  test("no further attempt possible -> no call to the service", async () => {
    const revokedOn = "2026-03-01T12:01:00.000Z";
    for (const known of [{ attempts: 3 }, { settledOn: "2026-03-01T12:12:00.000Z" }, { revokedOn }]) {
      const world = await due();
      const { partition, row, value } = world.tables.records.all()[0] ?? assert.fail();
      const outcome = { final: true, decision: "accepted", reasons: ["RealFace"] } as const;
      world.tables.records.put(partition, row, { ...value, ...outcome, reasons: ["RealFace"], ...known });
      const { summary, names } = await run(world);
      assert.equal(summary.collected, 1);
      assert.equal(
        names.some((name) => name.startsWith("face.")),
        false,
        JSON.stringify(known),
      );
    }
  });

  test("the service returns the device only then -> moves the session to it", async () => {
    const world = await due({ setInClient: true });
    const [session] = world.service.live.values();
    Object.assign(session?.state ?? {}, { deviceCorrelationId: "a-late-device" });
    await run(world);
    assert.equal(world.record().deviceCorrelationId, "a-late-device");
    const [next] = world.tables.expiry.all();
    assert.equal(readPlace(next?.value.place ?? assert.fail()).partition, "a-late-device");
    world.advance({ days: 90 });
    await run(world);
    await run(world);
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("pruning", () => {
  test("session past its retention -> removes it at the service with its uploaded image and marks the pointer", async () => {
    const world = await duePrune({ uploads: true }, 24);
    assert.equal(world.blobs.images.size, 1);
    const { summary, names } = await run(world, dayLong);
    assert.deepEqual(summary, { ...none, pruned: 1 });
    assert.ok(names.includes("face.revoke"));
    assert.equal(names.includes("sessions.get"), false, "the session is not read again");
    assert.deepEqual([world.service.live.size, world.blobs.images.size], [0, 0]);
    assert.equal(world.tables.pointers.all()[0]?.value.prunedOn, "2026-03-02T12:00:00.000Z");
    assert.deepEqual([world.record().decision, world.tables.entries.all().length], ["accepted", 2]);
    assert.deepEqual(dueRows(world), [["purge", "2026-05-30T12:00:00.000Z"]]);
  });

  test("session older than 48 hours -> no call to the service", async () => {
    const world = await duePrune();
    const { summary, names } = await run(world);
    assert.equal(summary.pruned, 1);
    assert.equal(
      names.some((name) => name.startsWith("face.")),
      false,
    );
  });

  test("outcome cannot be recorded -> removes nothing", async () => {
    const world = await due({ uploads: true });
    world.advance({ hours: 1 });
    const process = world.start();
    const [row] = world.tables.expiry.all();
    assert.ok(row);
    world.tables.expiry.put(row.partition, row.row, { ...row.value, phase: "prune" });
    const { summary, names } = await run(world, {}, failOn("sessions.transact"));
    assert.equal(summary.failed, 1);
    assert.deepEqual(
      names.filter((name) => /revoke|delete|sessions\.remove|sessionids/.test(name)),
      [],
    );
    assert.deepEqual([world.service.live.size, world.blobs.images.size, process.calls.names.length], [1, 1, 0]);
    assert.equal(world.tables.expiry.all().length, 1);
  });

  test("session with a held image -> keeps the image", async () => {
    const world = await duePrune({ kind: "livenessWithVerify", referenceImageId: "a-held-image" });
    assert.equal((await run(world)).names.includes("images.delete"), false);
  });
});

describe("expiry row without a session", () => {
  test("due for pruning -> removes the row", async () => {
    const world = await duePrune();
    await world.start().deps.removals.purge((await find(world)) ?? assert.fail());
    assert.deepEqual((await run(world)).summary, { ...none, pruned: 1 });
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});
