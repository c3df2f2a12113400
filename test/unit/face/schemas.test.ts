import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import * as previews from "../../../src/face/previews.ts";
import * as v11Preview1 from "../../../src/face/v1.1-preview.1.ts";
import * as v12 from "../../../src/face/v1.2.ts";
import * as v12Preview1 from "../../../src/face/v1.2-preview.1.ts";

test("every wire shape can be described as JSON Schema, with what is required and what is not", () => {
  for (const version of [v11Preview1, v12Preview1, v12]) {
    for (const schema of [version.createLivenessRequest, version.createLivenessWithVerifyRequest]) {
      const described = z.toJSONSchema(schema, { io: "input" });
      assert.deepEqual(described.required, ["livenessOperationMode"]);
      assert.equal(described.additionalProperties, false);
    }
  }
  for (const schema of [v12.createdSession, v12.session, previews.createdSession, previews.session]) {
    assert.equal(z.toJSONSchema(schema, { io: "input" }).type, "object");
  }
  for (const schema of [previews.sessionList, previews.auditEntryList]) {
    assert.equal(z.toJSONSchema(schema, { io: "input" }).type, "array");
  }
});
