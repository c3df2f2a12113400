import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  drain,
  drainShard,
  type MaintainDeps,
  type MaintenanceSummary,
} from "../../../../src/liveness/retain/maintain.ts";
import { readPlace } from "../../../../src/storage/rows/references.ts";
import { failOn, type Hook, InjectedError } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type World } from "../../fakes/world.ts";

type Counts = Omit<MaintenanceSummary, "due" | "oldestDueOn">;
const none: Counts = { collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0, left: 0 };

/** Runs the timer once, with time enough, and answers what it did and which calls it made. */
async function run(world: World, options: Partial<MaintainDeps> = {}, hook?: Hook) {
  const process = world.start(hook);
  const maintenance = process.maintenance(options);
  const { due, oldestDueOn, ...summary } = await drain(maintenance, world.now() + 60_000);
  const names = process.calls.names.filter((name) => name !== "expiry.query");
  return { summary, due, oldestDueOn, names, failures: maintenance.failures };
}

const find = (world: World) => world.start().deps.sessions.find(world.record().sessionId);

const dueRows = (world: World) => world.tables.expiry.all().map(({ value: { phase, dueOn } }) => [phase, dueOn]);

/** A session whose result nobody has fetched, at the time at which that is due. */
async function due(seed: Parameters<typeof seedSession>[1] = {}) {
  const world = createWorld();
  const { record } = await seedSession(world, seed);
  play(world.service, record.sessionId, failedAttempt());
  play(world.service, record.sessionId, realFace());
  world.advance({ minutes: 12 });
  return world;
}

/** A session's retention of a day: the service still knows it when it is pruned. */
const dayLong = { retention: { sessionHours: 24, outcomeDays: 90 } };

/** The same, collected, at the time at which it is to be pruned. */
async function duePrune(seed: Parameters<typeof seedSession>[1] = {}, hours = 48) {
  const world = await due(seed);
  await run(world, { retention: { sessionHours: hours, outcomeDays: 90 } });
  world.advance({ hours, minutes: -12 });
  return world;
}

describe("collecting", () => {
  test("waits until no attempt can come any more", async () => {
    const world = createWorld();
    await seedSession(world);
    world.advance({ minutes: 12, seconds: -1 });
    assert.deepEqual((await run(world)).summary, none);
    world.advance({ seconds: 1 });
    assert.deepEqual((await run(world)).summary, { ...none, collected: 1 });
    const { status, final, decision } = world.record();
    assert.deepEqual([status, final, decision], ["Expired", true, "inconclusive"]);
  });

  test("records the outcome with its audit entries, and sets the session down for pruning", async () => {
    const world = await due();
    const { summary, names } = await run(world);
    assert.deepEqual(summary, { ...none, collected: 1 });
    assert.deepEqual([world.record().decision, world.tables.entries.all().length], ["accepted", 2]);
    assert.deepEqual(dueRows(world), [["prune", "2026-03-03T12:00:00.000Z"]]);
    assert.equal(world.service.live.size, 1);
    assert.ok(names.indexOf("sessions.transact") >= 0);
    assert.ok(names.indexOf("sessions.transact") < names.indexOf("expiry.put"));
  });

  test("costs the service no call where no attempt can be missing", async () => {
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

  test("follows a session to its device, where the service tells it only then", async () => {
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
  test("removes the session at the service and its uploaded image, and hides it from the dialects", async () => {
    const world = await duePrune({ uploads: true }, 24);
    assert.equal(world.blobs.images.size, 1);
    const { summary, names } = await run(world, dayLong);
    assert.deepEqual(summary, { ...none, pruned: 1 });
    assert.ok(names.includes("face.revoke"));
    assert.equal(names.includes("sessions.get"), false, "it is not read once more");
    assert.deepEqual([world.service.live.size, world.blobs.images.size], [0, 0]);
    assert.equal(world.tables.pointers.all()[0]?.value.prunedOn, "2026-03-02T12:00:00.000Z");
    assert.deepEqual([world.record().decision, world.tables.entries.all().length], ["accepted", 2]);
    assert.deepEqual(dueRows(world), [["purge", "2026-05-30T12:00:00.000Z"]]);
  });

  test("costs the service no call for a session that it has surely forgotten", async () => {
    const world = await duePrune();
    const { summary, names } = await run(world);
    assert.equal(summary.pruned, 1);
    assert.equal(
      names.some((name) => name.startsWith("face.")),
      false,
    );
  });

  test("collects first where that was missed", async () => {
    const world = await duePrune({}, 24);
    const { partition, row, value } = world.tables.records.all()[0] ?? assert.fail();
    const { decision: _, ...undecided } = value;
    world.tables.records.put(partition, row, { ...undecided, attempts: 0, final: false, reasons: [] });
    const [due] = world.tables.expiry.all();
    const { session: __, ...untold } = due?.value ?? assert.fail();
    world.tables.expiry.put(due?.partition ?? "", untold.creationId, untold);
    const { names } = await run(world, dayLong);
    assert.ok(names.indexOf("sessions.transact") >= 0);
    assert.ok(names.indexOf("sessions.transact") < names.indexOf("face.revoke"));
    assert.equal(world.record().decision, "accepted");
  });

  test("removes nothing where the outcome cannot be recorded", async () => {
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

  test("leaves held images alone", async () => {
    const world = await duePrune({ kind: "livenessWithVerify", referenceImageId: "a-held-image" });
    assert.equal((await run(world)).names.includes("images.delete"), false);
  });
});

describe("purging", () => {
  test("removes all that is left of a session", async () => {
    const world = await duePrune({ uploads: true });
    await run(world);
    world.advance({ days: 88 });
    assert.deepEqual((await run(world)).summary, { ...none, purged: 1 });
    assert.deepEqual(world.everything(), createWorld().everything());
  });

  test("leaves the device's other sessions alone", async () => {
    const world = await duePrune();
    await run(world);
    world.advance({ days: 88, minutes: -1 });
    const other = await seedSession(world);
    world.advance({ minutes: 1 });
    assert.deepEqual((await run(world)).summary, { ...none, purged: 1 });
    assert.equal(world.record().sessionId, other.record.sessionId);
    const { guards, keys, pointers, expiry } = world.tables;
    assert.deepEqual(
      [guards, keys, pointers, expiry].map((rows) => rows.all().length),
      [1, 1, 1, 1],
    );
  });
});

describe("what a creation or an erasure left behind", () => {
  test("is removed: a creation that never got as far as its commit", async () => {
    const world = await due({ uploads: true });
    const { partition, row, value } = world.tables.records.all()[0] ?? assert.fail();
    const { value: key, ...keyAt } = world.tables.keys.all()[0] ?? assert.fail();
    const { sessionId: _, ...uncommitted } = key;
    world.tables.keys.put(keyAt.partition, keyAt.row, uncommitted);
    world.tables.records.remove(partition, row);
    assert.ok(world.tables.pointers.get(value.sessionId, value.sessionId), "it was written beside the commit");
    assert.deepEqual((await run(world)).summary, { ...none, abandoned: 1 });
    assert.deepEqual(world.everything(), createWorld().everything());
  });

  test("is removed: an expiry row alone", async () => {
    const world = await duePrune();
    await world.start().deps.removals.purge((await find(world)) ?? assert.fail());
    assert.deepEqual((await run(world)).summary, { ...none, pruned: 1 });
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("a run", () => {
  test("goes on after a session that fails, tells of it, and leaves it due", async () => {
    const world = createWorld();
    const seeds = [];
    for (let count = 0; count < 6; count += 1)
      seeds.push(await seedSession(world, { deviceCorrelationId: `d${count}` }));
    world.advance({ minutes: 12 });
    let asked = 0;
    const failing: Hook = ({ name, when }) => {
      if (name !== "face.get" || when !== "before") return undefined;
      asked += 1;
      return asked === 2 ? new InjectedError("injected") : undefined;
    };
    const { summary, failures } = await run(world, {}, failing);
    assert.deepEqual(summary, { ...none, collected: 5, failed: 1 });
    const [failure] = failures;
    const left = world.tables.expiry.all().filter(({ value }) => value.phase === "collect");
    assert.equal(left.length, 1);
    assert.deepEqual(failure, {
      creationId: left[0]?.value.creationId,
      sessionId: left[0]?.value.session?.sessionId,
      phase: "collect",
      failures: 1,
      cause: new InjectedError("injected"),
    });
    assert.ok(left[0]?.value.session?.sessionId);
    world.advance({ minutes: 5 });
    assert.deepEqual((await run(world)).summary, { ...none, collected: 1 });
  });

  test("works on a shard's sessions from the oldest on, and stops at its deadline", async () => {
    const world = createWorld();
    const created: string[] = [];
    while (created.length < 3) {
      const { record, expiryPartition } = await seedSession(world);
      if (expiryPartition.startsWith("0_")) created.push(record.sessionId);
      world.advance({ minutes: 6 });
    }
    world.advance({ hours: 1 });
    const asked: string[] = [];
    const { deps, maintenance } = world.start();
    const deadline = world.now() + 60_000;
    const options = maintenance({
      face: {
        ...deps.face,
        get: async (session) => {
          asked.push(session.sessionId);
          if (asked.length === 2) world.advance({ minutes: 1 });
          return deps.face.get(session);
        },
      },
    });
    const summary = await drainShard(options, 0, deadline);
    assert.deepEqual([summary.collected, asked], [2, created.slice(0, 2)]);
    const later = await drainShard(world.start().maintenance(), 0, world.now() + 60_000);
    assert.equal(later.collected, 1);
  });

  test("reaches every shard, with any number of workers", async () => {
    for (const concurrency of [1, 3, 100]) {
      const world = createWorld();
      for (let count = 0; count < 60; count += 1) await seedSession(world, { deviceCorrelationId: `d${count}` });
      world.advance({ minutes: 12 });
      assert.equal((await run(world, { concurrency })).summary.collected, 60, `${concurrency} workers`);
    }
  });
});
