import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import { drain, type MaintainDeps, type MaintenanceFailure } from "../../../../src/liveness/retain/maintain.ts";
import { failOn, type Hook } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type World } from "../../fakes/world.ts";

const dayLong = { sessionHours: 24, outcomeDays: 90 };

async function run(world: World, hook?: Hook, options: Partial<MaintainDeps> = {}) {
  const process = world.start(hook);
  const maintenance = process.maintenance(options);
  const summary = await drain(maintenance, world.now() + 60_000);
  return { summary, calls: process.calls.names, failures: maintenance.failures as MaintenanceFailure[] };
}

const serviceFails = failOn("face.get");

/** A session with a result, due for collecting. */
async function arrange(): Promise<World> {
  const world = createWorld();
  const { record } = await seedSession(world, { uploads: true });
  play(world.service, record.sessionId, realFace());
  world.advance({ minutes: 12 });
  return world;
}

const row = (world: World) => {
  const [only, ...others] = world.tables.expiry.all();
  assert.ok(only !== undefined && others.length === 0);
  return only.value;
};

/** The same session after three runs in which the service failed. */
async function failThrice(options: Partial<MaintainDeps> = {}): Promise<World> {
  const world = await arrange();
  for (const minutes of [0, 5, 10]) {
    world.advance({ minutes });
    assert.equal((await run(world, serviceFails, options)).summary.failed, 1);
  }
  return world;
}

describe("session that fails in consecutive runs", () => {
  test("every run fails -> due again after 5 minutes, doubled each time up to an hour", async () => {
    const world = await arrange();
    for (const [index, minutes] of [5, 10, 20, 40, 60, 60].entries()) {
      const { summary, failures } = await run(world, serviceFails);
      assert.deepEqual([summary.failed, failures[0]?.failures, row(world).failures], [1, index + 1, index + 1]);
      world.advance({ minutes, seconds: -1 });
      assert.equal((await run(world, serviceFails)).summary.due, 0, `before ${minutes} minutes have passed`);
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
    const { summary, calls } = await run(world, serviceFails);
    assert.deepEqual([summary.failed, summary.collected, summary.pruned], [0, 1, 1]);
    assert.equal(calls.includes("face.get"), false);
    const { status, decision } = world.record();
    assert.deepEqual([status, decision], ["Expired", "inconclusive"]);
    assert.equal(world.blobs.images.size, 0);
    world.advance({ days: 90 });
    await run(world);
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("image of a session that fails", () => {
  const options = { retention: dayLong };

  test("session retention ends -> removed although the outcome is unknown", async () => {
    const world = await failThrice(options);
    for (let hour = 1; hour < 24; hour += 1) {
      world.advance({ hours: 1 });
      await run(world, serviceFails, options);
      assert.equal(world.blobs.images.size, 1, `after ${hour} hours`);
    }
    // 24 hours after the creation, before the longest delay has passed.
    world.advance({ minutes: 33 });
    assert.equal((await run(world, serviceFails, options)).summary.failed, 1);
    assert.equal(world.blobs.images.size, 0);
    assert.equal(world.service.live.size, 1, "the session at the service is kept");
    world.advance({ hours: 1 });
    await run(world, undefined, options);
    assert.equal(world.record().decision, "accepted");
    assert.equal(world.service.live.size, 0);
  });

  test("session retention ended before the first failure -> removed by that run", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    await run(world, serviceFails, options);
    assert.equal(world.blobs.images.size, 0);
  });

  test("service refuses the app -> removed, expiry row unchanged", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    const due = row(world);
    const outOfCalls = new ApiError(403, "403", "Out of quota.");
    const { summary } = await run(world, ({ name }) => (name === "face.get" ? outOfCalls : undefined), options);
    assert.equal(summary.failed, 1);
    assert.equal(world.blobs.images.size, 0);
    assert.deepEqual(row(world), due);
  });

  test("removing it fails -> removed by the next retry", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    const allFails = failOn(["face.get", "images.delete", "sessions.transact"]);
    assert.equal((await run(world, allFails, options)).summary.failed, 1);
    assert.equal(world.blobs.images.size, 1);
    world.advance({ minutes: 5 });
    await run(world, serviceFails, options);
    assert.equal(world.blobs.images.size, 0);
  });
});

describe("session that cannot be pruned or purged", () => {
  test("revoking fails -> image removed, pruned by a later retry", async () => {
    const world = await arrange();
    const options = { retention: dayLong };
    await run(world, undefined, options);
    world.advance({ hours: 24 });
    await run(world, failOn("face.revoke"), options);
    assert.deepEqual([world.blobs.images.size, row(world).phase, row(world).failures], [0, "prune", 1]);
    world.advance({ minutes: 5 });
    assert.equal((await run(world, undefined, options)).summary.pruned, 1);
    assert.equal(world.service.live.size, 0);
  });

  test("record cannot be read -> stays due, record kept", async () => {
    const world = await arrange();
    world.advance({ days: 100 });
    for (let runs = 1; runs <= 4; runs += 1) {
      const { summary, failures } = await run(world, failOn("sessions.get"));
      assert.deepEqual([summary.failed, failures[0]?.failures], [1, runs]);
      world.advance({ hours: 1 });
    }
    assert.equal(world.tables.records.all().length, 1);
    assert.equal(world.blobs.images.size, 0);
  });
});
