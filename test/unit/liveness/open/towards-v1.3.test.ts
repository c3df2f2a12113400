import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ApiVersion, SessionRequest } from "../../../../src/face/model.ts";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { deriveUserId } from "../../../../src/liveness/open/derived-user-id.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { createFakeFaceService, tokenOf } from "../../fakes/face-service.ts";
import { command, createWorld, trusted, type World } from "../../fakes/world.ts";

/** Creations of every dialect while the service is called in v1.3-preview.1. */

const userIdKey = "a-key-for-user-ids-of-32-characters";
const alice: Caller = { trusted: false, owner: "alice" };

function start(world: World, version: ApiVersion = "v1.3-preview.1") {
  const { deps, calls } = world.start();
  return { ...deps, face: createFakeFaceService(world.service, calls, world.now, version) };
}

interface Options {
  request?: Partial<SessionRequest>;
  caller?: Caller;
  idempotencyKey?: string;
  apiVersion?: ApiVersion;
}

function open(world: World, { idempotencyKey, apiVersion = "v1.2", ...options }: Options = {}) {
  const creation = { ...command(options), apiVersion, ...(idempotencyKey !== undefined && { idempotencyKey }) };
  return openSession(start(world), creation);
}

/** The requests that the service got, in the order of the creations. */
const sent = (world: World) => [...world.service.live.values()].map(({ request }) => request);
const device = (deviceCorrelationId: string) => ({ request: { deviceCorrelationId } });

describe("a user id for older dialects", () => {
  test("the same for each session of a device, another for another device, never the device id", async () => {
    const world = createWorld();
    for (const id of ["device-one", "device-one", "device-two"]) await open(world, device(id));
    const [first, again, other] = sent(world).map(({ userCorrelationId }) => userCorrelationId);
    assert.match(first ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(again, first);
    assert.notEqual(other, first);
    const source = { caller: trusted, deviceCorrelationId: "device-one", creationId: "" };
    assert.equal(first, deriveUserId(userIdKey, source));
  });

  test("the same for each device of a signed-in user, never the owner's name", async () => {
    const world = createWorld();
    for (const id of ["device-one", "device-two"]) await open(world, { ...device(id), caller: alice });
    await open(world, { ...device("device-one"), caller: { trusted: false, owner: "bob" } });
    const [first, again, other] = sent(world).map(({ userCorrelationId }) => userCorrelationId);
    assert.equal(again, first);
    assert.notEqual(other, first);
    assert.ok(!first?.includes("alice"));
  });

  test("is not stored, and neither is its key: the session has no user", async () => {
    const world = createWorld();
    const { record } = await open(world, { ...device("device-one"), caller: alice, idempotencyKey: "once" });
    const [{ userCorrelationId = assert.fail("no user id") } = {}] = sent(world);
    assert.equal(record.userCorrelationId, undefined);
    const stored = JSON.stringify([world.everything(), record]);
    assert.ok(stored.includes("device-one"));
    for (const secret of [userCorrelationId, userIdKey]) assert.equal(stored.includes(secret), false);
  });

  test("a request with a user id, or whose device sends it -> unchanged", async () => {
    const world = createWorld();
    await open(world, { request: { userCorrelationId: "a-user" } });
    await open(world, { request: { userCorrelationIdSetInClient: true } });
    const [named, setInClient] = sent(world);
    assert.deepEqual([named?.userCorrelationId, named?.userCorrelationIdSetInClient], ["a-user", undefined]);
    assert.deepEqual([setInClient?.userCorrelationId, setInClient?.userCorrelationIdSetInClient], [undefined, true]);
  });

  test("a signed-in user names another's id -> the service gets the one derived from the owner", async () => {
    const world = createWorld();
    await open(world, { ...device("device-one"), caller: alice });
    const named = { userCorrelationId: "of-bob", deviceCorrelationId: "device-two" };
    const { record } = await open(world, { request: named, caller: alice });
    const [derived, replaced] = sent(world).map(({ userCorrelationId }) => userCorrelationId);
    assert.equal(replaced, derived);
    assert.equal(record.userCorrelationId, "of-bob");
    const inClient = { userCorrelationIdSetInClient: true };
    await assert.rejects(open(world, { request: inClient, caller: alice }), { code: "InvalidRequestBody" });
    assert.equal(sent(world).length, 2);
  });

  test("upstream versions without users -> none is derived", async () => {
    const world = createWorld();
    await openSession(start(world, "v1.2"), command());
    assert.deepEqual([sent(world).length, sent(world)[0]?.userCorrelationId], [1, undefined]);
  });
});

describe("the limit of attempts", () => {
  test("a dialect without the field -> three are requested, and the session has no limit of its own", async () => {
    const world = createWorld();
    const { record } = await open(world);
    assert.deepEqual([sent(world)[0]?.numberOfClientAttemptsAllowed, record.attemptsAllowed], [3, undefined]);
  });

  test("a limit -> requested as it is, and kept with the session", async () => {
    for (const allowed of [1, 2, 3]) {
      const world = createWorld();
      const { record } = await open(world, { request: { numberOfClientAttemptsAllowed: allowed } });
      assert.deepEqual([sent(world)[0]?.numberOfClientAttemptsAllowed, record.attemptsAllowed], [allowed, allowed]);
    }
  });
});

describe("a repeat with an idempotency key", () => {
  test("service returns the token -> the same session, with the facts of the first answer", async () => {
    const facts = { isAbuseMonitoringEnabled: true, expectedClientIpAddress: "203.0.113.0/24" };
    const request = { userCorrelationId: "a-user", numberOfClientAttemptsAllowed: 1, ...device("one").request };
    for (const options of [{}, { request: { ...request, expectedClientIpAddress: "203.0.113.0/24" } }]) {
      const world = createWorld();
      const first = await open(world, { ...options, idempotencyKey: "once" });
      const { sessionId } = first.created;
      for (const [id, { state }] of world.service.live) Object.assign(state, { authToken: tokenOf(id), ...facts });
      const again = await open(world, { ...options, idempotencyKey: "once" });
      assert.deepEqual(again.created, { ...first.created, ...facts });
      assert.deepEqual([again.record.sessionId, world.service.opened], [sessionId, 1]);
    }
  });

  test("service returns no token -> replaced by a session of the same user", async () => {
    const world = createWorld();
    await open(world, { idempotencyKey: "once" });
    const [{ userCorrelationId } = {}] = sent(world);
    await open(world, { idempotencyKey: "once" });
    assert.equal(world.service.opened, 2);
    assert.deepEqual([sent(world).length, sent(world)[0]?.userCorrelationId], [1, userCorrelationId]);
  });

  test("another limit, address or user -> 422, and the session stays", async () => {
    const request = { userCorrelationId: "a-user", numberOfClientAttemptsAllowed: 1, expectedClientIpAddress: "::1" };
    for (const other of [
      { numberOfClientAttemptsAllowed: 2 },
      { expectedClientIpAddress: "::2" },
      { userCorrelationId: "another-user" },
    ]) {
      const world = createWorld();
      await open(world, { request, idempotencyKey: "once" });
      const reused = open(world, { request: { ...request, ...other }, idempotencyKey: "once" });
      await assert.rejects(reused, { status: 422, code: "IdempotencyKeyReused" });
      assert.equal(world.service.live.size, 1);
    }
  });
});
