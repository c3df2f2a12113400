import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { authenticate, type CallerRules } from "../../../src/http/callers.ts";

const accessDenied = {
  name: "ApiError",
  status: 401,
  code: "Unspecified",
  message:
    "Access denied due to invalid subscription key. " +
    "Make sure you are subscribed to an API you are trying to call and provide the right key.",
};

const digestOf = (key: string) => createHash("sha256").update(key).digest("hex");

const strict: CallerRules = { clientKeys: new Map(), allowAnonymous: false, platformAuthentication: false };
const withKeys: CallerRules = {
  ...strict,
  clientKeys: new Map([
    ["mobile", [digestOf("mobile-old"), digestOf("mobile-new")]],
    ["web", [digestOf("web-key")]],
  ]),
};

const callerOf = (rules: CallerRules, headers: Record<string, string>) => authenticate(rules, new Headers(headers));

function assertRefused(rules: CallerRules, headers: Record<string, string>): void {
  assert.throws(() => callerOf(rules, headers), accessDenied);
}

describe("a client key", () => {
  test("is accepted in either header", () => {
    const caller = { trusted: true, clientName: "web" };
    for (const name of ["Ocp-Apim-Subscription-Key", "ocp-apim-subscription-key", "x-functions-key"]) {
      assert.deepEqual(callerOf(withKeys, { [name]: "web-key" }), caller, name);
    }
  });

  test("may be any of a client's keys", () => {
    for (const key of ["mobile-old", "mobile-new"]) {
      assert.deepEqual(callerOf(withKeys, { "ocp-apim-subscription-key": key }), {
        trusted: true,
        clientName: "mobile",
      });
    }
  });

  test("is read from the second header if the first is empty", () => {
    const headers = { "ocp-apim-subscription-key": "", "x-functions-key": "web-key" };
    assert.equal(callerOf(withKeys, headers).clientName, "web");
  });

  test("is refused if it is wrong, in either header", () => {
    const wrong = ["wrong", "WEB-KEY", "web-key2", digestOf("web-key"), "web-key, web-key", "mobile"];
    for (const key of wrong) {
      assertRefused(withKeys, { "ocp-apim-subscription-key": key });
      assertRefused(withKeys, { "x-functions-key": key });
    }
    assertRefused(withKeys, { "ocp-apim-subscription-key": "wrong", "x-functions-key": "web-key" });
  });

  test("is ignored in other headers", () => {
    assertRefused(withKeys, { authorization: "Bearer web-key" });
    assertRefused(withKeys, { "x-api-key": "web-key" });
  });

  test("is refused if none is configured", () => {
    assertRefused(strict, { "ocp-apim-subscription-key": "web-key" });
    assertRefused({ ...strict, clientKeys: new Map([["none", []]]) }, { "ocp-apim-subscription-key": "web-key" });
  });
});

describe("a caller without key and principal", () => {
  test("is refused", () => {
    for (const rules of [strict, withKeys, { ...strict, platformAuthentication: true }]) {
      assertRefused(rules, {});
      assertRefused(rules, { "ocp-apim-subscription-key": "", "x-functions-key": "" });
    }
  });

  test("is trusted with ALLOW_ANONYMOUS", () => {
    assert.deepEqual(callerOf({ ...strict, allowAnonymous: true }, {}), { trusted: true });
    assert.deepEqual(callerOf({ ...withKeys, allowAnonymous: true }, {}), { trusted: true });
  });
});

describe("ALLOW_ANONYMOUS", () => {
  test("accepts any key while none is configured", () => {
    const caller = callerOf({ ...strict, allowAnonymous: true }, { "ocp-apim-subscription-key": "any" });
    assert.deepEqual(caller, { trusted: true });
  });

  test("refuses a wrong key if keys are configured", () => {
    const rules = { ...withKeys, allowAnonymous: true };
    assertRefused(rules, { "ocp-apim-subscription-key": "any" });
    assert.equal(callerOf(rules, { "ocp-apim-subscription-key": "web-key" }).clientName, "web");
  });
});
