import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { authenticate, type CallerRules } from "../../../src/http/callers.ts";
import { testProperty } from "../property.ts";

const digestOf = (key: string) => createHash("sha256").update(key).digest("hex");

const strict: CallerRules = { clientKeys: new Map(), allowAnonymous: false, platformAuthentication: false };
const clientKeys = new Map([
  ["mobile", [digestOf("mobile-old"), digestOf("mobile-new")]],
  ["web", [digestOf("web-key")]],
]);
const withKeys: CallerRules = { ...strict, clientKeys };
const platform: CallerRules = { ...strict, platformAuthentication: true };
const anonymous: CallerRules = { ...strict, allowAnonymous: true };

const callerOf = (headers: Record<string, string>, rules = platform) => authenticate(rules, new Headers(headers));
const ownerOf = (headers: Record<string, string>) => callerOf(headers).owner;

function assertRefused(headers: Record<string, string>, ...refusing: CallerRules[]): void {
  for (const rules of refusing) {
    assert.throws(() => callerOf(headers, rules), {
      ...{ name: "ApiError", status: 401, code: "Unspecified" },
      message:
        "Access denied due to invalid subscription key. " +
        "Make sure you are subscribed to an API you are trying to call and provide the right key.",
    });
  }
}

describe("a key", () => {
  const web = { trusted: true, clientName: "web" };
  const mobile = { trusted: true, clientName: "mobile" };
  const withBoth = { ...withKeys, allowAnonymous: true };
  const serviceKey = (key: string) => ({ "Ocp-Apim-Subscription-Key": key });
  const hostKey = (key: string) => ({ "x-functions-key": key });

  for (const [what, headers, rules, caller] of [
    ["in the service's header", serviceKey("web-key"), withKeys, web],
    ["in the host's header", hostKey("web-key"), withKeys, web],
    ["in the host's header beside an empty one", { ...serviceKey(""), ...hostKey("web-key") }, withKeys, web],
    ["of a client with two, the first", serviceKey("mobile-old"), withKeys, mobile],
    ["of a client with two, the second", serviceKey("mobile-new"), withKeys, mobile],
    ["of a client, with ALLOW_ANONYMOUS", serviceKey("web-key"), withBoth, web],
    ["of any text, with ALLOW_ANONYMOUS and no keys", serviceKey("any"), anonymous, { trusted: true }],
    ["that is absent, with ALLOW_ANONYMOUS", {}, withBoth, { trusted: true }],
    ["that is absent, with ALLOW_ANONYMOUS and no keys", {}, anonymous, { trusted: true }],
  ] as const) {
    test(`${what} -> accepted`, () => assert.deepEqual(callerOf(headers, rules), caller));
  }

  type Refused = [what: string, headers: Record<string, string>, ...rules: CallerRules[]];
  const none: CallerRules = { ...strict, clientKeys: new Map([["none", []]]) };
  const wrong = ["wrong", "WEB-KEY", "web-key2", digestOf("web-key"), "web-key, web-key", "mobile"];
  const refused: Refused[] = [
    ...wrong.map((key) => [`${key} in the service's header`, serviceKey(key), withKeys] as Refused),
    ...wrong.map((key) => [`${key} in the host's header`, hostKey(key), withKeys] as Refused),
    ["wrong in the first header", { ...serviceKey("wrong"), ...hostKey("web-key") }, withKeys],
    ["wrong, with ALLOW_ANONYMOUS", serviceKey("any"), withBoth],
    ["in Authorization", { authorization: "Bearer web-key" }, withKeys],
    ["in another header", { "x-api-key": "web-key" }, withKeys],
    ["where none is configured", serviceKey("web-key"), strict, none],
    ["that is absent", {}, strict, withKeys, platform],
    ["that is empty", { ...serviceKey(""), ...hostKey("") }, strict, withKeys, platform],
  ];
  for (const [what, headers, ...rules] of refused) {
    test(`${what} -> refused`, () => assertRefused(headers, ...rules));
  }
});

const objectId = "http://schemas.microsoft.com/identity/claims/objectidentifier";
const nameIdentifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier";
const roleClaim = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";

type Claim = { typ: string; val: string };

const base64 = (text: string) => Buffer.from(text).toString("base64");

function principal(claims: Claim[], provider = "aad", more: object = {}): Record<string, string> {
  const value = { auth_typ: provider, name_typ: "name", role_typ: "roles", claims, ...more };
  return { "x-ms-client-principal": base64(JSON.stringify(value)) };
}

const user = (id: string, provider?: string) => principal([{ typ: objectId, val: id }], provider);

const alice = { trusted: false, owner: ownerOf(user("alice")) };

describe("a principal", () => {
  test("is an owner, and not trusted, also with ALLOW_ANONYMOUS", () => {
    assert.match(alice.owner ?? "", /^[0-9a-f]{64}$/);
    for (const rules of [platform, { ...platform, allowAnonymous: true }]) {
      assert.deepEqual(callerOf(user("alice"), rules), alice);
    }
  });

  test("has a distinct owner for each pair of provider and id", () => {
    const owners = [
      ...[user("alice"), user("bob"), user("alice", "google"), user(":alice"), user("alice", "aad:")],
      ...[user("ålice 👩"), user("ålice 👨")],
    ];
    assert.equal(new Set(owners.map(ownerOf)).size, owners.length);
    assert.notEqual(ownerOf(user("c", "a:b")), ownerOf(user("b:c", "a")));
  });

  const part = fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom("a", "1", ":", "2") });
  testProperty("has a distinct owner for any pair", [part, part, part, part], (provider, id, provider2, id2) => {
    fc.pre(provider !== provider2 || id !== id2);
    assert.notEqual(ownerOf(user(id, provider)), ownerOf(user(id2, provider2)));
  });

  test("is identified by its permanent id claim, in order of preference", () => {
    const claims = [...["sub", nameIdentifier, "oid", objectId].entries()].map(([index, typ]) => ({
      typ,
      val: `${index}`,
    }));
    for (const [index, { val }] of claims.entries()) {
      const known = principal([{ typ: "name", val: "Alice" }, ...claims.slice(0, index + 1)]);
      assert.equal(ownerOf(known), ownerOf(user(val)), val);
    }
    const blank = principal([{ typ: objectId, val: "" }, ...claims.slice(0, 1)]);
    assert.equal(ownerOf(blank), ownerOf(user("0")));
  });

  test("is identified by the platform's id header if there is no id claim", () => {
    const headers = { ...principal([{ typ: "name", val: "Alice" }]), "x-ms-client-principal-id": "alice" };
    assert.equal(ownerOf(headers), ownerOf(user("alice")));
    assert.equal(ownerOf({ ...user("bob"), "x-ms-client-principal-id": "alice" }), ownerOf(user("bob")));
  });
});

describe("roles", () => {
  const service = { ...alice, trusted: true };
  const reviewer = { ...alice, isReviewer: true };
  for (const [roleType, typ, values, expected] of [
    ["roles", "roles", ["Another.Role", "Liveness.Service"], service],
    ["roles", roleClaim, ["Another.Role", "Liveness.Service"], service],
    ["groups", "groups", ["Another.Role", "Liveness.Service"], service],
    ["roles", "roles", ["Liveness.Reviewer"], reviewer],
    ["roles", "roles", ["Liveness.Reviewer", "Liveness.Service"], { ...reviewer, trusted: true }],
    // Only role claims and full names count.
    ["roles", "name", ["Liveness.Service"], alice],
    ["roles", "groups", ["Liveness.Service", "Liveness.Reviewer"], alice],
    ["roles", "roles", ["liveness.service", "Liveness.Service.Reader"], alice],
    ["roles", "roles", ["liveness.reviewer", "Liveness.Reviewers"], alice],
  ] as const) {
    test(`${values} as ${typ}, where roles are ${roleType}`, () => {
      const claims = [{ typ: objectId, val: "alice" }, ...values.map((val) => ({ typ, val }))];
      assert.deepEqual(callerOf(principal(claims, "aad", { role_typ: roleType })), expected);
    });
  }
});

describe("a malformed principal", () => {
  const json = (value: unknown) => ({ "x-ms-client-principal": base64(JSON.stringify(value)) });
  const claims = [{ typ: objectId, val: "alice" }];
  for (const [what, headers] of [
    ["empty", { "x-ms-client-principal": "" }],
    ["not base64", { "x-ms-client-principal": "%%%" }],
    ["not JSON", { "x-ms-client-principal": base64("alice") }],
    ["bare JSON", { "x-ms-client-principal": JSON.stringify({ auth_typ: "aad", claims }) }],
    ["not an object", json("alice")],
    ["null", json(null)],
    ["a list", json([{ auth_typ: "aad", claims }])],
    ["without a provider", json({ claims })],
    ["with an empty provider", json({ auth_typ: "", claims })],
    ["without claims", json({ auth_typ: "aad" })],
    ["with claims that are not a list", json({ auth_typ: "aad", claims: claims[0] })],
    ["with an invalid claim", json({ auth_typ: "aad", claims: [{ typ: objectId, val: 7 }] })],
    ["with an empty list of claims", json({ auth_typ: "aad", claims: [] })],
    ["without an id", json({ auth_typ: "aad", claims: [{ typ: "name", val: "Alice" }] })],
    ["with an empty id", json({ auth_typ: "aad", claims: [{ typ: objectId, val: "" }] })],
    ["sent twice", { "x-ms-client-principal": `${user("alice")["x-ms-client-principal"]}, %%%` }],
  ] as const) {
    test(`is refused: ${what}`, () => {
      assertRefused(headers, platform, { ...platform, allowAnonymous: true });
      assertRefused({ ...headers, "ocp-apim-subscription-key": "web-key" }, { ...platform, clientKeys });
    });
  }

  const anyValue = fc.oneof(fc.base64String(), fc.json().map(base64));
  testProperty("is refused with 401: any value", [anyValue], (header) => {
    assertRefused({ "x-ms-client-principal": header }, platform);
  });
});

test("a principal without App Service Authentication is ignored, also if it is malformed", () => {
  const service = principal([
    { typ: "roles", val: "Liveness.Service" },
    { typ: objectId, val: "alice" },
  ]);
  for (const headers of [user("alice"), service, { "x-ms-client-principal": "%%%" }]) {
    assertRefused(headers, strict);
    assert.deepEqual(callerOf(headers, anonymous), { trusted: true });
    const withKey = callerOf({ ...headers, "x-functions-key": "web-key" }, withKeys);
    assert.deepEqual(withKey, { trusted: true, clientName: "web" });
  }
});

test("a key and a principal together make the caller a trusted service with an owner, unless the key is wrong", () => {
  const rules = { ...platform, clientKeys };
  const caller = callerOf({ ...user("alice"), "ocp-apim-subscription-key": "web-key" }, rules);
  assert.deepEqual(caller, { ...alice, trusted: true, clientName: "web" });
  assertRefused({ ...user("alice"), "ocp-apim-subscription-key": "wrong" }, rules, platform);
});
