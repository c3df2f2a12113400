import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { apiVersions, sessionKinds } from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import * as previews from "../../../../src/face/versions/previews.ts";
import * as v12 from "../../../../src/face/versions/v1.2-shapes.ts";

/** The schema itself, where an id has put it among the definitions. */
function describe(shape: z.ZodType): z.core.JSONSchema.BaseSchema {
  const described = z.toJSONSchema(shape, { io: "input" });
  return described.$defs?.[described.$ref?.slice("#/$defs/".length) ?? ""] ?? described;
}

test("every wire shape can be described as JSON Schema, with what is required and what is not", () => {
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

test("no shape of what we tell of a session has its token", () => {
  for (const version of apiVersions) {
    for (const kind of sessionKinds) {
      const told = describe(codecs[version].shapes(kind).session);
      assert.equal(Object.keys(told.properties ?? {}).includes("authToken"), false);
    }
  }
});

test("what a form is made of has the fields of the version, and either the image or the name of one", () => {
  for (const version of apiVersions) {
    assert.equal(codecs[version].shapes("liveness").create.multipart, undefined);
    const form = codecs[version].shapes("livenessWithVerify").create.multipart;
    assert.ok(form);
    const names = Object.keys(describe(form).properties ?? {});
    const expected = version === "v1.2" ? ["livenessOperationMode", "verifyImage"] : ["Parameters", "VerifyImage"];
    for (const name of [...expected, "referenceImageId"]) assert.ok(names.includes(name), `${version}: ${name}`);
  }
});
