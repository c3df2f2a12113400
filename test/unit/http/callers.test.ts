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

const nobody: CallerRules = { clientKeys: new Map(), allowAnonymous: false, platformAuthentication: false };
const withKeys: CallerRules = {
  ...nobody,
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
  test("lets in by either header, whatever its case", () => {
    const caller = { trusted: true, clientName: "web" };
    for (const name of ["Ocp-Apim-Subscription-Key", "ocp-apim-subscription-key", "x-functions-key"]) {
      assert.deepEqual(callerOf(withKeys, { [name]: "web-key" }), caller, name);
    }
  });

  test("may be either of a client's two, so that one can be replaced", () => {
    for (const key of ["mobile-old", "mobile-new"]) {
      assert.deepEqual(callerOf(withKeys, { "ocp-apim-subscription-key": key }), {
        trusted: true,
        clientName: "mobile",
      });
    }
  });

  test("is looked for in the second header where the first is empty", () => {
    const headers = { "ocp-apim-subscription-key": "", "x-functions-key": "web-key" };
    assert.equal(callerOf(withKeys, headers).clientName, "web");
  });

  test("is refused when it is wrong, in whichever header", () => {
    const wrong = ["wrong", "WEB-KEY", "web-key2", digestOf("web-key"), "web-key, web-key", "mobile"];
    for (const key of wrong) {
      assertRefused(withKeys, { "ocp-apim-subscription-key": key });
      assertRefused(withKeys, { "x-functions-key": key });
    }
    assertRefused(withKeys, { "ocp-apim-subscription-key": "wrong", "x-functions-key": "web-key" });
  });

  test("is not looked for anywhere else", () => {
    assertRefused(withKeys, { authorization: "Bearer web-key" });
    assertRefused(withKeys, { "x-api-key": "web-key" });
  });

  test("is wrong where none is configured", () => {
    assertRefused(nobody, { "ocp-apim-subscription-key": "web-key" });
    assertRefused({ ...nobody, clientKeys: new Map([["none", []]]) }, { "ocp-apim-subscription-key": "web-key" });
  });
});

describe("a caller without key and principal", () => {
  test("is refused", () => {
    for (const rules of [nobody, withKeys, { ...nobody, platformAuthentication: true }]) {
      assertRefused(rules, {});
      assertRefused(rules, { "ocp-apim-subscription-key": "", "x-functions-key": "" });
    }
  });

  test("is let in, and trusted, where everyone is", () => {
    assert.deepEqual(callerOf({ ...nobody, allowAnonymous: true }, {}), { trusted: true });
    assert.deepEqual(callerOf({ ...withKeys, allowAnonymous: true }, {}), { trusted: true });
  });
});

describe("a stack that lets everyone in", () => {
  test("takes any key while none is configured, as the client libraries always send one", () => {
    const caller = callerOf({ ...nobody, allowAnonymous: true }, { "ocp-apim-subscription-key": "any" });
    assert.deepEqual(caller, { trusted: true });
  });

  test("refuses a wrong key once keys are configured, and knows the right ones", () => {
    const rules = { ...withKeys, allowAnonymous: true };
    assertRefused(rules, { "ocp-apim-subscription-key": "any" });
    assert.equal(callerOf(rules, { "ocp-apim-subscription-key": "web-key" }).clientName, "web");
  });
});
