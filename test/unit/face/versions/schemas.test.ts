import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { apiVersions, sessionKinds } from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import * as previews from "../../../../src/face/versions/previews.ts";
import * as v12 from "../../../../src/face/versions/v1.2-shapes.ts";

/** The schema, resolved from `$defs` if it has an id. */
function describe(shape: z.ZodType): z.core.JSONSchema.BaseSchema {
  const described = z.toJSONSchema(shape, { io: "input" });
  return described.$defs?.[described.$ref?.slice("#/$defs/".length) ?? ""] ?? described;
}

test("every schema converts to JSON Schema with its required properties", () => {
  for (const version of apiVersions) {
    for (const kind of sessionKinds) {
      const { create, created, session } = codecs[version].shapes(kind);
      const described = describe(create.json);
      assert.deepEqual(described.required, ["livenessOperationMode"]);
      assert.equal(described.additionalProperties, false);
      assert.equal(describe(created).type, "object");
      assert.equal(describe(session).type, "object");
    }
  }
  for (const schema of [v12.createdSession, v12.session, previews.createdSession, previews.session]) {
    assert.equal(describe(schema).type, "object");
  }
  for (const schema of [previews.sessionList, previews.auditEntryList]) {
    assert.equal(describe(schema).type, "array");
  }
});

test("no schema of a session response has the token", () => {
  for (const version of apiVersions) {
    for (const kind of sessionKinds) {
      const schema = describe(codecs[version].shapes(kind).session);
      assert.equal(Object.keys(schema.properties ?? {}).includes("authToken"), false);
    }
  }
});

test("the schema of a form has the version's fields, the image and referenceImageId", () => {
  for (const version of apiVersions) {
    assert.equal(codecs[version].shapes("liveness").create.multipart, undefined);
    const form = codecs[version].shapes("livenessWithVerify").create.multipart;
    assert.ok(form);
    const names = Object.keys(describe(form).properties ?? {});
    const expected = version === "v1.2" ? ["livenessOperationMode", "verifyImage"] : ["Parameters", "VerifyImage"];
    for (const name of [...expected, "referenceImageId"]) assert.ok(names.includes(name), `${version}: ${name}`);
  }
});
