import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BodyPart, CreateRequest } from "../../../../src/face/codec.ts";
import { apiVersions } from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import { assertRefused } from "./refusals.ts";

/** What official clients and samples send beside the contract, and what stays refused beside it. */

for (const version of apiVersions) {
  const minimal = {
    livenessOperationMode: "Passive",
    deviceCorrelationId: "a-device",
    ...(version === "v1.3-preview.1" && { userCorrelationId: "a-user" }),
  };
  const { createRequest } = codecs[version];
  const decode = (value: unknown) => createRequest.decode("liveness", { type: "json", value });

  describe(`create requests of ${version}`, () => {
    test("modes, flags and numbers may be texts in any case, and are sent on in the spelling of the contract", () => {
      const texts = { livenessOperationMode: "pASSIVEactive", deviceCorrelationIdSetInClient: "FALSE" };
      const { request } = decode({ ...minimal, ...texts, authTokenTimeToLiveInSeconds: "60" });
      const fields = { livenessOperationMode: "PassiveActive", authTokenTimeToLiveInSeconds: 60 };
      assert.deepEqual(request, decode({ ...minimal, ...fields }).request);
      const sent = createRequest.encode("liveness", request);
      assert.partialDeepStrictEqual(sent, { type: "json", value: fields });
    });

    test("names of fields in another case are unknown, also beside the right one", () => {
      for (const name of ["LivenessOperationMode", "DEVICECORRELATIONID", "authtokentimetoliveinseconds"]) {
        assertRefused(() => decode({ ...minimal, [name]: "Passive" }), "InvalidRequestBody", name);
      }
    });
  });
}

for (const version of ["v1.2", "v1.3-preview.1"] as const) {
  const fields = { livenessOperationMode: "passive", deviceCorrelationId: "a-device", userCorrelationId: "a-user" };
  const parameters = (value: unknown): BodyPart => ({ name: "Parameters", content: JSON.stringify(value) });
  const image: BodyPart = { name: "VerifyImage", filename: "test.png", content: Uint8Array.of(1) };
  const decode = (...parts: BodyPart[]): CreateRequest =>
    codecs[version].createRequest.decode("livenessWithVerify", { type: "multipart", parts });

  describe(`a form of ${version} in the layout of the previews`, () => {
    test("is the same as the flat form", () => {
      const flat = Object.entries(fields).map(([name, content]) => ({ name, content }));
      assert.deepEqual(decode(image, parameters(fields)), decode(...flat, { ...image, name: "verifyImage" }));
      assert.deepEqual(decode({ ...parameters(fields), name: "parameters" }), decode(...flat));
      const addition = { name: "clientReferenceId", content: "order 1" };
      assert.equal(decode(parameters(fields), image, addition).clientReferenceId, "order 1");
    });

    test("is refused with a field in both places, in any case", () => {
      for (const name of ["deviceCorrelationId", "DEVICECORRELATIONID"]) {
        const parts = [parameters(fields), { name, content: "another" }];
        assertRefused(() => decode(...parts), "InvalidRequestBody", "deviceCorrelationId");
        assertRefused(() => decode(...parts.toReversed()), "InvalidRequestBody", "deviceCorrelationId");
      }
      assertRefused(() => decode(parameters(fields), parameters(fields)), "InvalidRequestBody", "Parameters");
      assertRefused(
        () => decode(parameters(fields), image, { ...image, name: "verifyImage" }),
        "InvalidRequestBody",
        "verifyImage",
      );
      assertRefused(
        () => decode(parameters({ ...fields, referenceImageId: "held" }), image),
        "InvalidRequestBody",
        "verifyImage",
      );
    });

    test("has the fields of its version only", () => {
      for (const value of [
        { ...fields, sendResultsToClient: false },
        { ...fields, Parameters: {} },
      ]) {
        assertRefused(() => decode(parameters(value), image), "InvalidRequestBody", Object.keys(value).at(-1) ?? "");
      }
      for (const value of [[], "text", null, 1]) {
        assertRefused(() => decode(parameters(value), image), "InvalidRequestBody", "Parameters");
      }
    });
  });
}
