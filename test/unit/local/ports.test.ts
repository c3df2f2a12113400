import assert from "node:assert/strict";
import { test } from "node:test";
import { explainPort } from "../../local/ports.ts";

test("explains ports in use and reserved ports", () => {
  const explain = (code: unknown) => explainPort(code, "Face emulator", 7080, "FACE_EMULATOR_PORT");
  const taken = "Port 7080 for the Face emulator is taken. Free it, or set FACE_EMULATOR_PORT to another one.";
  assert.equal(explain("EADDRINUSE"), taken);
  const kept = "Port 7080 for the Face emulator is kept back by the system. Set FACE_EMULATOR_PORT to another one.";
  assert.equal(explain("EACCES"), kept);
  for (const code of ["ENOTFOUND", undefined]) assert.equal(explain(code), undefined);
});
