import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { deriveUserId, type UserIdSource } from "../../../../src/liveness/open/derived-user-id.ts";

const key = "a key of at least thirty-two characters";
const creationId = "c0ffee00-0000-4000-8000-000000000001";
const service = { trusted: true };
const ofDevice = (deviceCorrelationId: string, more?: Partial<UserIdSource>): UserIdSource => ({
  caller: service,
  deviceCorrelationId,
  creationId,
  ...more,
});

test("equals the HMAC-SHA-256 that another implementation computes, with version and variant of a GUID", () => {
  // printf %s device:device-1 | openssl dgst -sha256 -hmac 'a key of at least thirty-two characters'
  assert.equal(deriveUserId(key, ofDevice("device-1")), "31aff66e-d341-83e4-97a8-04a5ab8632ea");
});

test("is a GUID of version 8 in lower case, whatever the ids are", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.boolean(), (id, isOwner) => {
      const source = isOwner ? { caller: { trusted: false, owner: id }, creationId } : ofDevice(id);
      assert.match(deriveUserId(key, source), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
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
    deriveUserId(key, { caller: service, creationId: text }),
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
