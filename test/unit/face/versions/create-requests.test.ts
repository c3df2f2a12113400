import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { apiVersions, sessionKinds } from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import documented from "../../../fixtures/face-docs/create-requests.json" with { type: "json" };
import fields from "../../../fixtures/face-docs/fields.json" with { type: "json" };
import { testProperty } from "../../property.ts";
import { image, request } from "./arbitraries.ts";
import { assertRefused, json, minimalBody, multipart, refusalOf } from "./requests.ts";

const invalidBody = "InvalidRequestBody";
const invalidDevice = "InvalidDeviceCorrelationId";
const defaultsOfAll = { deviceCorrelationIdSetInClient: false, authTokenTimeToLiveInSeconds: 600 };

/** Values that a field of every version accepts and refuses, and the code of the error. */
const rules: [field: string, code: string, accepted: unknown[], refused: unknown[]][] = [
  [
    "livenessOperationMode",
    "InvalidLivenessOperationMode",
    ["Passive", "PassiveActive"],
    ["passive ", "Active", "Passive Active", "Pa\u017f\u017five", "", null, 1, ["Passive"], undefined],
  ],
  [
    "authTokenTimeToLiveInSeconds",
    "InvalidTokenLifetime",
    [60, 600, 86_400],
    [...[59, 86_401, 0, -60, 60.5, 1e300], ...["", " 60", "6e1", "0x3c", "59", "60.5"], ...[null, true, [600]]],
  ],
  [
    "deviceCorrelationId",
    invalidDevice,
    ["x", "x".repeat(64), "\u{1F600}".repeat(32), " ", "a/b", "\u0000"],
    ["", "x".repeat(65), `${"\u{1F600}".repeat(32)}x`, "\ud800", "a\udc00b", 5, {}, null, undefined],
  ],
  ["clientReferenceId", invalidBody, ["order 1", "x".repeat(128)], ["", "x".repeat(129), "\udfff", 1, null]],
  ["referenceImageId", invalidBody, ["held-1"], ["", "x".repeat(65), "a b", "a\n", "ä", 1, null]],
];

for (const version of apiVersions) {
  const minimal = minimalBody(version);
  const neutral = {
    ...minimal,
    ...defaultsOfAll,
    ...("userCorrelationId" in minimal && { userCorrelationIdSetInClient: false, numberOfClientAttemptsAllowed: 1 }),
  };
  /** A complete body with verify. */
  const verifying = { ...minimal, referenceImageId: "held-1" };
  const { createRequest } = codecs[version];
  const decode = (value: unknown) => createRequest.decode("liveness", json(value));
  const decodeVerify = (value: unknown) => createRequest.decode("livenessWithVerify", json(value));
  const refuse = (more: object, code: string, ...targets: string[]) =>
    assertRefused(() => decode({ ...minimal, ...more }), code, ...targets);
  const refuseVerify = (more: object, code: string, ...targets: string[]) =>
    assertRefused(() => decodeVerify({ ...verifying, ...more }), code, ...targets);

  describe(`create requests of ${version}`, () => {
    for (const kind of sessionKinds) {
      const images = kind === "liveness" ? fc.constant(undefined) : fc.option(image, { nil: undefined });
      testProperty(`round-trip for ${kind}`, [request(version, kind), images], (sent, picture) => {
        const decoded = createRequest.decode(kind, createRequest.encode(kind, sent, picture));
        assert.deepEqual(decoded, { request: sent, ...(picture && { image: picture }) });
      });
    }

    test("defaults are filled in", () => {
      assert.deepEqual(decode(minimal), { request: neutral });
    });

    for (const [field, code, accepted, refused] of rules) {
      test(`${field} has its range`, () => {
        const isOfVerify = field === "referenceImageId";
        for (const value of accepted) {
          const { request, ...additions } = (isOfVerify ? decodeVerify : decode)({ ...minimal, [field]: value });
          assert.deepEqual({ ...request, ...additions }, { ...neutral, [field]: value });
        }
        for (const value of refused) (isOfVerify ? refuseVerify : refuse)({ [field]: value }, code, field);
      });
    }

    test("exactly one of deviceCorrelationId and deviceCorrelationIdSetInClient is required", () => {
      const { deviceCorrelationId: _, ...unnamed } = neutral;
      const inClient = { ...unnamed, deviceCorrelationIdSetInClient: true };
      assert.deepEqual(decode(inClient), { request: inClient });
      assert.deepEqual(decode({ ...inClient, deviceCorrelationId: null }), decode(inClient));
      const neither = { ...inClient, deviceCorrelationIdSetInClient: false };
      assertRefused(() => decode(neither), invalidDevice, "deviceCorrelationId");
      refuse({ deviceCorrelationIdSetInClient: true }, invalidDevice, "deviceCorrelationId");
      refuse({ deviceCorrelationIdSetInClient: "true" }, invalidDevice, "deviceCorrelationId");
      refuse({ deviceCorrelationIdSetInClient: "yes" }, invalidDevice, "deviceCorrelationIdSetInClient");
    });

    test("flags are booleans", () => {
      const flags = {
        "v1.1-preview.1": ["sendResultsToClient"],
        "v1.2-preview.1": ["sendResultsToClient", "enableSessionImage", "returnVerifyImageHash"],
        "v1.2": ["enableSessionImage", "returnVerifyImageHash"],
        "v1.3-preview.1": ["enableSessionImage", "returnVerifyImageHash", "userCorrelationIdSetInClient"],
      }[version];
      for (const flag of flags) {
        for (const value of ["yes", "", "true ", "1", 1, null, ["true"]]) {
          refuseVerify({ [flag]: value }, invalidBody, flag);
        }
      }
    });

    test("modes, flags and numbers may be texts in any case, and are sent on in the spelling of the contract", () => {
      const texts = { livenessOperationMode: "pASSIVEactive", deviceCorrelationIdSetInClient: "FALSE" };
      const { request } = decode({ ...minimal, ...texts, authTokenTimeToLiveInSeconds: "60" });
      const read = { livenessOperationMode: "PassiveActive", authTokenTimeToLiveInSeconds: 60 };
      assert.deepEqual(request, decode({ ...minimal, ...read }).request);
      assert.partialDeepStrictEqual(createRequest.encode("liveness", request), { type: "json", value: read });
    });

    test("unknown fields, also names in another case, are refused by name", () => {
      refuseVerify({ verifyConfidenceTreshold: 0.9 }, invalidBody, "verifyConfidenceTreshold");
      refuse(JSON.parse('{"__proto__":{}}'), invalidBody, "__proto__");
      refuse({ referenceImageId: "held-1" }, invalidBody, "referenceImageId");
      refuse({ verifyConfidenceThreshold: 0.5 }, invalidBody, "verifyConfidenceThreshold");
      for (const name of ["LivenessOperationMode", "DEVICECORRELATIONID", "authtokentimetoliveinseconds"]) {
        refuse({ [name]: "Passive" }, invalidBody, name);
      }
    });

    test("details are limited in number, and their targets are truncated and well-formed", () => {
      const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field${index}`, 1]));
      assert.equal(refusalOf(() => decode({ ...minimal, ...many })).details?.length, 16);
      refuse({ [`\ud800${"x".repeat(1000)}`]: 1 }, invalidBody, `\ufffd${"x".repeat(63)}`);
    });

    test("a body that is not an object is refused", () => {
      for (const value of [null, [], "x", 1, undefined]) assertRefused(() => decode(value), invalidBody, "body");
    });

    test("errors contain no values", () => {
      const secret = "s3cret-value";
      const names = ["livenessOperationMode", "deviceCorrelationIdSetInClient", "authTokenTimeToLiveInSeconds"];
      const error = refusalOf(() =>
        decodeVerify({
          ...Object.fromEntries([...names, "verifyConfidenceThreshold"].map((name) => [name, secret])),
          ...{ deviceCorrelationId: [secret], clientReferenceId: { secret }, referenceImageId: `${secret}!` },
        }),
      );
      assert.doesNotMatch(JSON.stringify([error.message, error.details]), /s3cret/);
    });

    test("several errors: the code is the first of the service's table, the details are in its order", () => {
      const wrong = { livenessOperationMode: "x", authTokenTimeToLiveInSeconds: 1, deviceCorrelationId: "" };
      const three = ["authTokenTimeToLiveInSeconds", "livenessOperationMode", "deviceCorrelationId"];
      refuse({ ...wrong, unknown: 1 }, invalidBody, "unknown", ...three);
      refuse(wrong, "InvalidTokenLifetime", ...three);
      const two = { ...wrong, authTokenTimeToLiveInSeconds: 60 };
      refuse(two, "InvalidLivenessOperationMode", ...three.slice(1));
    });

    test("additional fields are never sent upstream", () => {
      const { request } = decodeVerify({ ...verifying, clientReferenceId: "order 1" });
      const picture = { bytes: new Uint8Array(1) };
      const encoded = JSON.stringify(createRequest.encode("livenessWithVerify", request, picture));
      assert.doesNotMatch(encoded, /referenceImageId|clientReferenceId|order 1|held-1/);
    });

    test("a form is refused for sessions without verify", () => {
      const error = refusalOf(() => createRequest.decode("liveness", multipart()));
      assert.deepEqual([error.status, error.code, error.message], [415, "BadArgument", "Invalid Media Type."]);
    });

    if (version === "v1.1-preview.1") return;

    test("the threshold is a number from 0 to 1", () => {
      for (const value of [0, 0.5, 1]) {
        for (const verifyConfidenceThreshold of [value, String(value)]) {
          const { request } = decodeVerify({ ...verifying, verifyConfidenceThreshold });
          assert.equal(request.verifyConfidenceThreshold, value);
        }
      }
      for (const value of [-0.1, 1.01, Number.POSITIVE_INFINITY, "1.01", "-0.5", "5e-1", null]) {
        refuseVerify({ verifyConfidenceThreshold: value }, invalidBody, "verifyConfidenceThreshold");
      }
    });

    test("a model version is any text, with the version as its dialect", () => {
      const name = version === "v1.2-preview.1" ? "livenessSingleModalModel" : "livenessModelVersion";
      const modelVersion = "2099-01-01";
      const { request } = decode({ ...minimal, [name]: modelVersion });
      assert.deepEqual(request, { ...neutral, modelVersion, modelVersionOf: version });
      for (const value of ["", "x".repeat(129), null, 1]) refuse({ [name]: value }, invalidBody, name);
    });
  });
}

test("the error for livenessOperationMode has the message of its version", () => {
  const message = "Invalid livenessOperationMode specified.";
  for (const [version, expected] of [
    ["v1.1-preview.1", `${message} Must be 'Passive'.`],
    ["v1.2-preview.1", message],
    ["v1.2", message],
  ] as const) {
    const body = json({ ...minimalBody(version), livenessOperationMode: "x" });
    assert.equal(refusalOf(() => codecs[version].createRequest.decode("liveness", body)).message, expected);
  }
});

test("requests of the documentation are accepted, except those that violate its own rules", () => {
  for (const { path, request } of documented) {
    const version = apiVersions.find((candidate) => path.startsWith(`/face/${candidate}/`)) ?? assert.fail(path);
    const { createRequest, paths } = codecs[version];
    const kind = sessionKinds.find((candidate) => path === `/face/${version}${paths.sessions(candidate)}`);
    const decode = () => createRequest.decode(kind ?? assert.fail(path), json(request));
    if ("deviceCorrelationIdSetInClient" in request) assertRefused(decode, invalidDevice, "deviceCorrelationId");
    else {
      const { deviceCorrelationId } = request;
      const read = { livenessOperationMode: "Passive", deviceCorrelationId, ...defaultsOfAll };
      assert.deepEqual(decode().request, read);
    }
  }
});

test("the known fields are those of the documentation and the additional ones", () => {
  const additions = { liveness: ["clientReferenceId"], livenessWithVerify: ["clientReferenceId", "referenceImageId"] };
  const documentedNames = fields.requests.flatMap((entry) => entry.fields.filter((name) => name !== "verifyImage"));
  const candidates = new Set([...documentedNames, ...additions.livenessWithVerify, "userCorrelationId"]);
  for (const { version, kind, fields: names } of fields.requests) {
    const ofVersion = apiVersions.find((candidate) => candidate === version) ?? assert.fail(version);
    const ofKind = sessionKinds.find((candidate) => candidate === kind) ?? assert.fail(kind);
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
