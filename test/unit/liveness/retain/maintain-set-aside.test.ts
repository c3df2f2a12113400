import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sessionResource } from "../../../../src/functions/session-resource.ts";
import { drain, type MaintainDeps, type MaintenanceFailure } from "../../../../src/liveness/retain/maintain.ts";
import { failOn, type Hook } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type World } from "../../fakes/world.ts";

const dayLong = { sessionHours: 24, outcomeDays: 90 };

async function run(world: World, hook?: Hook, options: Partial<MaintainDeps> = {}) {
  const process = world.start(hook);
  const maintenance = process.maintenance({ maxAttempts: 3, ...options });
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

/** The same session after its third failed run, which sets it aside. */
async function setAside(options: Partial<MaintainDeps> = {}): Promise<World> {
  const world = await arrange();
  for (let runs = 0; runs < 3; runs += 1) await run(world, serviceFails, options);
  return world;
}

const row = (world: World) => {
  const [only, ...others] = world.tables.expiry.all();
  assert.ok(only !== undefined && others.length === 0);
  return only.value;
};

describe("session that fails in consecutive runs", () => {
  test("third failure -> set aside, as failure, expiry row and session resource show", async () => {
    const world = await arrange();
    for (const failures of [1, 2]) {
      const { summary, failures: reported } = await run(world, serviceFails);
      assert.deepEqual([summary.failed, summary.setAside, row(world).failures], [1, 0, failures]);
      assert.deepEqual([reported[0]?.failures, reported[0]?.setAsideOn], [failures, undefined]);
      assert.equal(sessionResource(world.record(), { trusted: true }).setAsideOn, undefined);
    }
    const setAsideOn = new Date(world.now()).toISOString();
    const { summary, failures } = await run(world, serviceFails);
    assert.deepEqual([summary.failed, summary.setAside], [1, 1]);
    assert.equal(failures[0]?.setAsideOn, setAsideOn);
    assert.deepEqual([row(world).failures, row(world).setAsideOn], [3, setAsideOn]);
    assert.equal(sessionResource(world.record(), { trusted: true }).setAsideOn, setAsideOn);
  });

  test("set aside -> retried once an hour, counted as set aside only once", async () => {
    const world = await setAside();
    assert.equal((await run(world)).summary.due, 0);
    world.advance({ hours: 1, seconds: -1 });
    assert.equal((await run(world)).summary.due, 0);
    world.advance({ seconds: 1 });
    const { summary, failures } = await run(world, serviceFails);
    assert.deepEqual([summary.failed, summary.setAside, failures[0]?.failures], [1, 0, 4]);
    assert.equal((await run(world)).summary.due, 0);
  });

  test("retry succeeds -> collected, no longer set aside", async () => {
    const world = await setAside();
    world.advance({ hours: 1 });
    assert.equal((await run(world)).summary.collected, 1);
    assert.deepEqual([world.record().decision, world.record().setAsideOn], ["accepted", undefined]);
    assert.deepEqual([row(world).phase, row(world).failures, row(world).setAsideOn], ["prune", undefined, undefined]);
  });

  test("older than 48 hours -> closed without the service, and purged when that is due", async () => {
    const world = await setAside();
    world.advance({ hours: 48 });
    const { summary, calls } = await run(world, serviceFails);
    assert.deepEqual([summary.failed, summary.collected, summary.pruned], [0, 1, 1]);
    assert.equal(calls.includes("face.get"), false);
    const { status, decision, setAsideOn } = world.record();
    assert.deepEqual([status, decision, setAsideOn], ["Expired", "inconclusive", undefined]);
    assert.equal(world.blobs.images.size, 0);
    world.advance({ days: 90 });
    await run(world);
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("image of a session that was set aside", () => {
  test("session retention ends -> removed although the outcome is unknown", async () => {
    const world = await setAside({ retention: dayLong });
    for (let hour = 1; hour < 24; hour += 1) {
      world.advance({ hours: 1 });
      await run(world, serviceFails, { retention: dayLong });
      assert.equal(world.blobs.images.size, 1, `after ${hour} hours`);
    }
    world.advance({ minutes: 48 });
    await run(world, serviceFails, { retention: dayLong });
    assert.equal(world.blobs.images.size, 0);
    assert.equal(world.service.live.size, 1, "the session at the service is kept");
    world.advance({ hours: 1 });
    await run(world, undefined, { retention: dayLong });
    assert.equal(world.record().decision, "accepted");
    assert.equal(world.service.live.size, 0);
  });

  test("session retention ended before -> removed when the session is set aside", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    const options = { retention: dayLong };
    for (const images of [1, 1, 0]) {
      await run(world, serviceFails, options);
      assert.equal(world.blobs.images.size, images);
    }
  });

  test("removing it fails -> removed by the next retry", async () => {
    const world = await arrange();
    world.advance({ hours: 24 });
    const allFails = failOn(["face.get", "images.delete", "sessions.transact"]);
    const options = { retention: dayLong, maxAttempts: 1 };
    assert.equal((await run(world, allFails, options)).summary.setAside, 1);
    assert.equal(world.blobs.images.size, 1);
    world.advance({ hours: 1 });
    await run(world, serviceFails, options);
    assert.equal(world.blobs.images.size, 0);
  });
});

describe("set-aside session that cannot be pruned or purged", () => {
  test("revoking fails -> image removed, pruned by a later retry", async () => {
    const world = await arrange();
    const options = { retention: dayLong };
    await run(world, undefined, options);
    world.advance({ hours: 24 });
    for (let runs = 0; runs < 3; runs += 1) await run(world, failOn("face.revoke"), options);
    assert.deepEqual([world.blobs.images.size, row(world).phase], [0, "prune"]);
    assert.ok(world.record().setAsideOn);
    world.advance({ hours: 1 });
    assert.equal((await run(world, undefined, options)).summary.pruned, 1);
    assert.deepEqual([world.service.live.size, world.record().setAsideOn], [0, undefined]);
  });

  test("record cannot be read -> retried for ever, record kept", async () => {
    const world = await arrange();
    world.advance({ days: 100 });
    const { summary } = await run(world, failOn("sessions.get"), { maxAttempts: 1 });
    assert.equal(summary.setAside, 1);
    for (let hour = 0; hour < 3; hour += 1) {
      world.advance({ hours: 1 });
      const { summary, failures } = await run(world, failOn("sessions.get"), { maxAttempts: 1 });
      assert.deepEqual([summary.failed, failures[0]?.failures], [1, hour + 2]);
    }
    assert.equal(world.tables.records.all().length, 1);
    assert.equal(world.blobs.images.size, 0);
  });
});
