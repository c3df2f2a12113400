import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import type { MaintainDeps } from "../../../../src/liveness/retain/maintain.ts";
import { failOn } from "../../fakes/calls.ts";
import { realFace } from "../../fakes/face-service.ts";
import { runMaintenance as run } from "../../fakes/maintenance.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, type World } from "../../fakes/world.ts";

/** Sessions are pruned after a day, while the service still knows them. */
const options = { retention: { sessionHours: 24, outcomeDays: 90 } };

const serviceFails = failOn("face.get");

/** A session with a result, due for collecting. */
async function arrange(): Promise<World> {
  const { world } = await seedWorld({ uploads: true }, realFace());
  world.advance({ minutes: 12 });
  return world;
}

const row = (world: World) => {
  const [only, ...others] = world.tables.expiry.all();
  assert.ok(only !== undefined && others.length === 0);
  return only.value;
};

/** The same session after three runs in which the service failed. */
async function failThrice(more: Partial<MaintainDeps> = {}): Promise<World> {
  const world = await arrange();
  for (const minutes of [0, 5, 10]) {
    world.advance({ minutes });
    assert.equal((await run(world, more, serviceFails)).summary.failed, 1);
  }
  return world;
}

describe("session that fails in consecutive runs", () => {
  test("every run fails -> due again after 5 minutes, doubled each time up to an hour", async () => {
    const world = await arrange();
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
    const world = await failThrice(options);
    for (let hour = 1; hour < 24; hour += 1) {
      world.advance({ hours: 1 });
      await run(world, options, serviceFails);
      assert.equal(world.blobs.images.size, 1, `after ${hour} hours`);
    }
    // 24 hours after the creation, before the longest delay has passed.
    world.advance({ minutes: 33 });
    assert.equal((await run(world, options, serviceFails)).summary.failed, 1);
    assert.equal(world.blobs.images.size, 0);
    assert.equal(world.service.live.size, 1, "the session at the service is kept");
    world.advance({ hours: 1 });
    await run(world, options);
    assert.equal(world.record().decision, "accepted");
    assert.equal(world.service.live.size, 0);
  });

  test("session retention ended before the first failure -> removed by that run", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    await run(world, options, serviceFails);
    assert.equal(world.blobs.images.size, 0);
  });

  test("service refuses the app -> removed, expiry row unchanged", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    const due = row(world);
    const outOfCalls = new ApiError(403, "403", "Out of quota.");
    const { summary } = await run(world, options, ({ name }) => (name === "face.get" ? outOfCalls : undefined));
    assert.equal(summary.failed, 1);
    assert.equal(world.blobs.images.size, 0);
    assert.deepEqual(row(world), due);
  });

  test("removing it fails -> removed by the next retry", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    const allFails = failOn(["face.get", "images.delete", "sessions.transact"]);
    assert.equal((await run(world, options, allFails)).summary.failed, 1);
    assert.equal(world.blobs.images.size, 1);
    world.advance({ minutes: 5 });
    await run(world, options, serviceFails);
    assert.equal(world.blobs.images.size, 0);
  });
});

describe("session that cannot be pruned or purged", () => {
  test("revoking fails -> image removed, pruned by a later retry", async () => {
    const world = await arrange();
    await run(world, options);
    world.advance({ hours: 24 });
    await run(world, options, failOn("face.revoke"));
    assert.deepEqual([world.blobs.images.size, row(world).phase, row(world).failures], [0, "prune", 1]);
    world.advance({ minutes: 5 });
    assert.equal((await run(world, options)).summary.pruned, 1);
    assert.equal(world.service.live.size, 0);
  });

  test("record cannot be read -> stays due, record kept", async () => {
    const world = await arrange();
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
