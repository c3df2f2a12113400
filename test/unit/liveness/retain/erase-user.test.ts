import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { eraseUser } from "../../../../src/liveness/retain/erase-user.ts";
import { makeImage } from "../../../fixtures/images.ts";
import { failOn } from "../../fakes/calls.ts";
import { assertNothingStored, command, createWorld, tracesOf, trusted, type World } from "../../fakes/world.ts";

const user = "a-user";

type Options = Parameters<typeof command>[0] & { device?: string; names?: string };

/** Opens a session that names a user. Default: `a-user`. */
async function open(world: World, { device = "a-device", names = user, ...options }: Options = {}): Promise<string> {
  const { deps } = world.start();
  const limits = { ...deps.limits, creations: 1000, ownerCreations: 1000 };
  const request = { userCorrelationId: names, deviceCorrelationId: device };
  const { record } = await openSession({ ...deps, limits }, command({ ...options, request }));
  return record.sessionId;
}

describe("eraseUser", () => {
  test("leaves the sessions of other users, and without a user, on the same device", async () => {
    const world = createWorld();
    const image = { bytes: makeImage() };
    const others = [await open(world, { names: "another-user", image })];
    others.push((await openSession(world.start().deps, command())).record.sessionId);
    await open(world, { image });
    assert.deepEqual(await eraseUser(world.start().deps, user), { sessions: 1 });
    assert.deepEqual([...world.service.live.keys()], others);
    for (const sessionId of others) assert.ok(await world.start().deps.sessions.find(sessionId));
    assert.deepEqual([world.blobs.images.size, world.storage.users.all().length], [1, 1]);
  });

  test("leaves held images, which belong to a device", async () => {
    const world = createWorld();
    const { images } = world.start().deps;
    const facts = { contentType: "image/png", width: 200, height: 200, sha256: "00" } as const;
    await images.put("held/passport", { bytes: makeImage(), facts });
    const caller = trusted;
    const request = { userCorrelationId: user };
    await openSession(world.start().deps, command({ referenceImageId: "passport", caller, request }));
    assert.deepEqual(await eraseUser(world.start().deps, user), { sessions: 1 });
    assert.deepEqual([...world.blobs.images.keys()], ["held/passport"]);
  });

  test("an unknown user -> no sessions, and only the requests of the event", async () => {
    const { deps, calls } = createWorld().start();
    assert.deepEqual(await eraseUser(deps, user), { sessions: 0 });
    assert.deepEqual(calls.names, ["users.query", "expiry.put", "sessions.put"]);
  });

  test("more sessions than a page has -> all of them, each page read once", async () => {
    const world = createWorld();
    for (let number = 0; number < 230; number += 1) await open(world, { device: `device-${number % 7}` });
    const { deps, calls } = world.start();
    assert.deepEqual(await eraseUser(deps, user), { sessions: 230 });
    assert.equal(calls.names.filter((name) => name === "users.query").length, 3);
    assertNothingStored(world);
    assert.equal(world.service.live.size, 0);
  });

  test("the service fails for one session -> rejects; a repeat erases the others and that one", async () => {
    const world = createWorld();
    for (let number = 0; number < 3; number += 1) await open(world);
    const failing = world.start(failOn("face.revoke", "before", 2));
    await assert.rejects(eraseUser(failing.deps, user), /injected/);
    assert.equal(world.service.live.size, 2);
    assert.deepEqual(await eraseUser(world.start().deps, user), { sessions: 2 });
    assert.deepEqual(tracesOf(world, user), {});
    assert.equal(world.service.live.size, 0);
  });

  test("a session that has ended at the service -> not asked for there", async () => {
    const world = createWorld();
    await open(world);
    world.advance({ hours: 48 });
    const { deps, calls } = world.start();
    assert.deepEqual(await eraseUser(deps, user), { sessions: 1 });
    assert.equal(calls.names.includes("face.revoke"), false);
  });

  test("the same id as a device's -> the device's sessions stay", async () => {
    const world = createWorld();
    await openSession(world.start().deps, command({ request: { deviceCorrelationId: user } }));
    assert.deepEqual(await eraseUser(world.start().deps, user), { sessions: 0 });
    assert.equal(world.record().deviceCorrelationId, user);
  });

  test("after the erasure -> the user's device can be used again, with the places that it had", async () => {
    const world = createWorld();
    await open(world);
    await eraseUser(world.start().deps, user);
    await open(world);
    assert.equal(world.tables.guards.all()[0]?.value.recent.length, 1);
  });
});
