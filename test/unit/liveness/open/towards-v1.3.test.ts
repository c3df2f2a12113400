import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { ApiVersion, SessionRequest } from "../../../../src/face/model.ts";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { deriveUserId, type UserIdSource } from "../../../../src/liveness/open/derived-user-id.ts";
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
  test("derived from the device for services, from the owner for signed-in users", async () => {
    const world = createWorld();
    for (const caller of [trusted, alice]) await open(world, { ...device("device-one"), caller });
    const source = { deviceCorrelationId: "device-one", creationId: "" };
    const expected = [trusted, alice].map((caller) => deriveUserId(userIdKey, { caller, ...source }));
    const derived = sent(world).map(({ userCorrelationId }) => userCorrelationId);
    assert.deepEqual(derived, expected);
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
    const others = { numberOfClientAttemptsAllowed: 2, expectedClientIpAddress: "::2", userCorrelationId: "another" };
    for (const [field, value] of Object.entries(others)) {
      const world = createWorld();
      await open(world, { request, idempotencyKey: "once" });
      const reused = open(world, { request: { ...request, [field]: value }, idempotencyKey: "once" });
      await assert.rejects(reused, { status: 422, code: "IdempotencyKeyReused" });
      assert.equal(world.service.live.size, 1);
    }
  });
});

const key = "a key of at least thirty-two characters";
const creationId = "c0ffee00-0000-4000-8000-000000000001";
const ofDevice = (deviceCorrelationId: string, more?: Partial<UserIdSource>): UserIdSource => ({
  caller: trusted,
  deviceCorrelationId,
  creationId,
  ...more,
});

describe("deriveUserId", () => {
  test("equals the HMAC-SHA-256 that another implementation computes, with version and variant of a GUID", () => {
    // printf %s device:device-1 | openssl dgst -sha256 -hmac 'a key of at least thirty-two characters'
    assert.equal(deriveUserId(key, ofDevice("device-1")), "31aff66e-d341-83e4-97a8-04a5ab8632ea");
  });

  test("is a GUID of version 8 in lower case, whatever the ids are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.boolean(), (id, isOwner) => {
        const source = isOwner ? { caller: { trusted: false, owner: id }, creationId } : ofDevice(id);
        assert.match(
          deriveUserId(key, source),
          /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
      }),
    );
  });

  test("is the same in every session of a device or user, and another for others", () => {
    const otherCreation = { creationId: "c0ffee00-0000-4000-8000-000000000002" };
    assert.equal(deriveUserId(key, ofDevice("device-1")), deriveUserId(key, ofDevice("device-1", otherCreation)));
    assert.notEqual(deriveUserId(key, ofDevice("device-1")), deriveUserId(key, ofDevice("device-2")));

    const ofUser = (owner: string, device: string) => ofDevice(device, { caller: { trusted: false, owner } });
    assert.equal(deriveUserId(key, ofUser("alice", "device-1")), deriveUserId(key, ofUser("alice", "device-2")));
    assert.notEqual(deriveUserId(key, ofUser("alice", "device-1")), deriveUserId(key, ofUser("bob", "device-1")));
  });

  test("changes with the key", () => {
    assert.notEqual(deriveUserId(key, ofDevice("device-1")), deriveUserId(`${key}!`, ofDevice("device-1")));
  });

  test("owner, device and creation with the same text -> different ids", () => {
    const text = "0123456789abcdef";
    const ids = [
      deriveUserId(key, { caller: { trusted: false, owner: text }, creationId }),
      deriveUserId(key, ofDevice(text)),
      deriveUserId(key, { caller: trusted, creationId: text }),
      deriveUserId(key, ofDevice(`owner:${text}`)),
      deriveUserId(key, ofDevice(`device:${text}`)),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });

  test("contains no part of the id or the key", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{8,64}$/), (id) => {
        const derived = deriveUserId(id.padEnd(32, "0"), ofDevice(id)).replaceAll("-", "");
        for (let start = 0; start + 8 <= id.length; start += 1) {
          assert.ok(!derived.includes(id.slice(start, start + 8)));
        }
      }),
    );
  });

  test("of a trusted service: the device counts, not the service's own principal", () => {
    const caller = { trusted: true, owner: "a-service" };
    assert.equal(deriveUserId(key, ofDevice("device-1", { caller })), deriveUserId(key, ofDevice("device-1")));
    assert.notEqual(
      deriveUserId(key, ofDevice("device-1", { caller })),
      deriveUserId(key, ofDevice("device-2", { caller })),
    );
  });
});
