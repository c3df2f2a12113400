import assert from "node:assert/strict";
import { test } from "node:test";
import { requireLoopbackName } from "../../local/loopback-names.ts";

const refusal = { status: 421, code: "MisdirectedRequest" };

test("loopback names are accepted, others are refused with 421", () => {
  for (const host of ["localhost", "localhost:7071", "127.0.0.1:7071", "[::1]:7071"]) requireLoopbackName({ host });
  for (const host of [undefined, "", "example.com", "localhost.example.com", "127.0.0.1.example.com"]) {
    assert.throws(() => requireLoopbackName({ host }), refusal, host);
  }
});

test("a tunnel that replaces Host by localhost -> refused by its name in X-Forwarded-Host", () => {
  for (const forwarded of ["abc-7071.euw.devtunnels.ms", "", "localhost, abc-7071.euw.devtunnels.ms"]) {
    assert.throws(() => requireLoopbackName({ host: "localhost", "x-forwarded-host": forwarded }), refusal, forwarded);
  }
  requireLoopbackName({ host: "localhost", "x-forwarded-host": "127.0.0.1:3000" });
});
