import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import type { MaintainDeps } from "../../../../src/liveness/retain/maintain.ts";
import { readPlace } from "../../../../src/storage/rows/keys.ts";
import { failOn } from "../../fakes/calls.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { runMaintenance as run } from "../../fakes/maintenance.ts";
import { dueWorld, type Seed, seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, type World } from "../../fakes/world.ts";

const none = { collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0, left: 0 };

const dueEntries = (world: World) => world.tables.expiry.all().map(({ value: { phase, dueOn } }) => [phase, dueOn]);
const callsService = (names: readonly string[]) => names.some((name) => name.startsWith("face."));

/** A session with a result that is not recorded, due for collecting. */
const due = (seed: Seed = {}) => dueWorld(seed, failedAttempt(), realFace());

/** A collected session, due for pruning. */
async function duePrune(seed: Seed = {}, sessionHours = 48) {
  const world = await due(seed);
  await run(world, { retention: { sessionHours, outcomeDays: 90 } });
  world.advance({ hours: sessionHours, minutes: -12 });
  return world;
}

/** Sessions are pruned after a day, while the service still knows them. */
const daily = { retention: { sessionHours: 24, outcomeDays: 90 } };

const serviceFails = failOn("face.get");

const row = (world: World) => {
  const [only, ...others] = world.tables.expiry.all();
  assert.ok(only !== undefined && others.length === 0);
  return only.value;
};

/** The same session after three runs in which the service failed. */
async function failThrice(more: Partial<MaintainDeps> = {}): Promise<World> {
  const world = await due({ uploads: true });
  for (const minutes of [0, 5, 10]) {
    world.advance({ minutes });
    assert.equal((await run(world, more, serviceFails)).summary.failed, 1);
  }
  return world;
}

describe("collecting", () => {
  test("session whose token has ended two minutes ago -> Expired and inconclusive, not earlier", async () => {
    const { world } = await seedWorld();
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
    assert.deepEqual(dueEntries(world), [["prune", "2026-03-03T12:00:00.000Z"]]);
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
      assert.equal(callsService(names), false, JSON.stringify(known));
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
    assertNothingStored(world);
  });
});

describe("pruning", () => {
  test("session past its retention -> removes it at the service with its uploaded image, without a request for the session", async () => {
    const world = await duePrune({ uploads: true }, 24);
    assert.equal(world.blobs.images.size, 1);
    const { summary, names } = await run(world, daily);
    assert.deepEqual(summary, { ...none, pruned: 1 });
    assert.ok(names.includes("face.revoke"));
    assert.ok(!names.some((name) => /^(sessions|sessionids)\./.test(name)), String(names));
    assert.deepEqual([world.service.live.size, world.blobs.images.size], [0, 0]);
    assert.deepEqual([world.record().decision, world.tables.entries.all().length], ["accepted", 2]);
    assert.deepEqual(dueEntries(world), [["purge", "2026-05-30T12:00:00.000Z"]]);
  });

  test("session older than 48 hours -> no call to the service", async () => {
    const { summary, names } = await run(await duePrune());
    assert.deepEqual([summary.pruned, callsService(names)], [1, false]);
  });

  test("outcome cannot be recorded -> removes nothing", async () => {
    const world = await due({ uploads: true });
    world.advance({ hours: 1 });
    const [row] = world.tables.expiry.all();
    assert.ok(row);
    world.tables.expiry.put(row.partition, row.row, { ...row.value, phase: "prune" });
    const { summary, names } = await run(world, {}, failOn("sessions.transact"));
    assert.equal(summary.failed, 1);
    assert.ok(!names.some((name) => /revoke|delete|sessions\.remove|sessionids/.test(name)));
    assert.deepEqual([world.service.live.size, world.blobs.images.size], [1, 1]);
    assert.equal(world.tables.expiry.all().length, 1);
  });

  test("session with a held image -> keeps the image", async () => {
    const world = await duePrune({ kind: "livenessWithVerify", referenceImageId: "a-held-image" });
    assert.equal((await run(world)).names.includes("images.delete"), false);
  });

  test("session does not exist -> its expiry row is removed when the outcome is due for removal", async () => {
    const world = await duePrune();
    const { sessions, removals } = world.start().deps;
    await removals.purge((await sessions.find(world.record().sessionId)) ?? assert.fail());
    assert.deepEqual((await run(world)).summary, { ...none, pruned: 1 });
    world.advance({ days: 90 });
    await run(world);
    assertNothingStored(world);
  });
});

describe("session that fails in consecutive runs", () => {
  test("every run fails -> due again after 5 minutes, doubled each time up to an hour", async () => {
    const world = await due({ uploads: true });
    for (const [index, minutes] of [5, 10, 20, 40, 60, 60].entries()) {
      const { summary, failures } = await run(world, {}, serviceFails);
      assert.deepEqual([summary.failed, failures[0]?.failures, row(world).failures], [1, index + 1, index + 1]);
      world.advance({ minutes, seconds: -1 });
      assert.equal((await run(world, {}, serviceFails)).due, 0, `before ${minutes} minutes have passed`);
      world.advance({ seconds: 1 });
    }
  });

  test("retry succeeds -> due for its next phase", async () => {
    const world = await failThrice();
    world.advance({ minutes: 20 });
    assert.equal((await run(world)).summary.collected, 1);
    assert.equal(world.record().decision, "accepted");
    assert.deepEqual([row(world).phase, row(world).failures], ["prune", undefined]);
  });

  test("older than 48 hours -> closed without the service, and purged when that is due", async () => {
    const world = await failThrice();
    world.advance({ hours: 48 });
    const { summary, names } = await run(world, {}, serviceFails);
    assert.deepEqual([summary.failed, summary.collected, summary.pruned], [0, 1, 1]);
    assert.equal(names.includes("face.get"), false);
    const { status, decision } = world.record();
    assert.deepEqual([status, decision], ["Expired", "inconclusive"]);
    assert.equal(world.blobs.images.size, 0);
    world.advance({ days: 90 });
    await run(world);
    assertNothingStored(world);
  });
});

describe("image of a session that fails", () => {
  test("session retention ends -> removed although the outcome is unknown", async () => {
    const world = await failThrice(daily);
    for (let hour = 1; hour < 24; hour += 1) {
      world.advance({ hours: 1 });
      await run(world, daily, serviceFails);
      assert.equal(world.blobs.images.size, 1, `after ${hour} hours`);
    }
    // 24 hours after the creation, before the longest delay has passed.
    world.advance({ minutes: 33 });
    assert.equal((await run(world, daily, serviceFails)).summary.failed, 1);
    assert.equal(world.blobs.images.size, 0);
    assert.equal(world.service.live.size, 1, "the session at the service is kept");
    world.advance({ hours: 1 });
    await run(world, daily);
    assert.equal(world.record().decision, "accepted");
    assert.equal(world.service.live.size, 0);
  });

  test("session retention ended before the first failure -> removed by that run", async () => {
    const world = await due({ uploads: true });
    world.advance({ hours: 24 });
    await run(world, daily, serviceFails);
    assert.equal(world.blobs.images.size, 0);
  });

  test("service refuses the app -> removed, expiry row unchanged", async () => {
    const world = await due({ uploads: true });
    world.advance({ hours: 24 });
    const before = row(world);
    const outOfCalls = new ApiError(403, "403", "Out of quota.");
    const { summary } = await run(world, daily, ({ name }) => (name === "face.get" ? outOfCalls : undefined));
    assert.equal(summary.failed, 1);
    assert.equal(world.blobs.images.size, 0);
    assert.deepEqual(row(world), before);
  });

  test("removing it fails -> removed by the next retry", async () => {
    const world = await due({ uploads: true });
    world.advance({ hours: 24 });
    const allFails = failOn(["face.get", "images.delete", "sessions.transact"]);
    assert.equal((await run(world, daily, allFails)).summary.failed, 1);
    assert.equal(world.blobs.images.size, 1);
    world.advance({ minutes: 5 });
    await run(world, daily, serviceFails);
    assert.equal(world.blobs.images.size, 0);
  });
});

describe("session that cannot be pruned or purged", () => {
  test("revoking fails -> image removed, pruned by a later retry", async () => {
    const world = await due({ uploads: true });
    await run(world, daily);
    world.advance({ hours: 24 });
    await run(world, daily, failOn("face.revoke"));
    assert.deepEqual([world.blobs.images.size, row(world).phase, row(world).failures], [0, "prune", 1]);
    world.advance({ minutes: 5 });
    assert.equal((await run(world, daily)).summary.pruned, 1);
    assert.equal(world.service.live.size, 0);
  });

  test("record cannot be read -> stays due, record kept", async () => {
    const world = await due({ uploads: true });
    world.advance({ days: 100 });
    for (let runs = 1; runs <= 4; runs += 1) {
      const { summary, failures } = await run(world, {}, failOn("sessions.get"));
      assert.deepEqual([summary.failed, failures[0]?.failures], [1, runs]);
      world.advance({ hours: 1 });
    }
    assert.equal(world.tables.records.all().length, 1);
    assert.equal(world.blobs.images.size, 0);
  });
});
