import assert from "node:assert/strict";
import { test } from "node:test";
import { requireLoopbackName } from "../../local/loopback-names.ts";
import { explainPort } from "../../local/ports.ts";

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

test("explains ports in use and reserved ports", () => {
  const explain = (code: unknown) => explainPort(code, "Face emulator", 7080, "FACE_EMULATOR_PORT");
  const taken = "Port 7080 for the Face emulator is taken. Free it, or set FACE_EMULATOR_PORT to another one.";
  assert.equal(explain("EADDRINUSE"), taken);
  const kept = "Port 7080 for the Face emulator is kept back by the system. Set FACE_EMULATOR_PORT to another one.";
  assert.equal(explain("EACCES"), kept);
  for (const code of ["ENOTFOUND", undefined]) assert.equal(explain(code), undefined);
});
