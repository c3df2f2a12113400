import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestBody } from "../../../../src/face/codec.ts";
import { apiVersions, sessionKinds } from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import documented from "../../../fixtures/face-docs/create-requests.json" with { type: "json" };
import fields from "../../../fixtures/face-docs/fields.json" with { type: "json" };
import { assertRefused, refusalOf } from "./refusals.ts";

const json = (value: unknown): RequestBody => ({ type: "json", value });

test("requests of the documentation are accepted, except those that violate its own rules", () => {
  for (const { path, request } of documented) {
    const version = apiVersions.find((candidate) => path.startsWith(`/face/${candidate}/`));
    assert.ok(version);
    const { createRequest, paths } = codecs[version];
    const kind = sessionKinds.find((candidate) => path === `/face/${version}${paths.sessions(candidate)}`);
    assert.ok(kind);
    const decode = () => createRequest.decode(kind, json(request));
    if ("deviceCorrelationIdSetInClient" in request) {
      assertRefused(decode, "InvalidDeviceCorrelationId", "deviceCorrelationId");
    } else {
      assert.deepEqual(decode().request, {
        livenessOperationMode: "Passive",
        deviceCorrelationId: request.deviceCorrelationId,
        deviceCorrelationIdSetInClient: false,
        authTokenTimeToLiveInSeconds: 600,
      });
    }
  }
});

test("the known fields are those of the documentation and the additional ones", () => {
  const additions = { liveness: ["clientReferenceId"], livenessWithVerify: ["clientReferenceId", "referenceImageId"] };
  const documentedNames = fields.requests.flatMap((entry) => entry.fields.filter((name) => name !== "verifyImage"));
  const candidates = new Set([...documentedNames, ...additions.livenessWithVerify, "userCorrelationId"]);
  for (const { version, kind, fields: names } of fields.requests) {
    const ofVersion = apiVersions.find((candidate) => candidate === version);
    const ofKind = sessionKinds.find((candidate) => candidate === kind);
    assert.ok(ofVersion && ofKind);
    const known = [...candidates].filter((name) => {
      // Invalid for every field; unknown fields have another code.
      const body = json({ [name]: {} });
      const { details = [] } = refusalOf(() => codecs[ofVersion].createRequest.decode(ofKind, body));
      return !details.some(({ code, target }) => code === "UnknownField" && target === name);
    });
    const ofSamples = version === "v1.2" ? ["userCorrelationId"] : [];
    const expected = [...names.filter((name) => name !== "verifyImage"), ...additions[ofKind], ...ofSamples];
    assert.deepEqual(known.sort(), expected.sort(), `${version} ${kind}`);
  }
});
