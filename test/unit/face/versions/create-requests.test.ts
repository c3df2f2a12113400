import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { BodyPart, RequestBody } from "../../../../src/face/codec.ts";
import { apiVersions, sessionKinds } from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import { image, request } from "./arbitraries.ts";
import { assertRefused, refusalOf } from "./refusals.ts";

const json = (value: unknown): RequestBody => ({ type: "json", value });
const multipart = (...parts: BodyPart[]): RequestBody => ({ type: "multipart", parts });

const fieldsOfAll = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
const defaultsOfAll = { deviceCorrelationIdSetInClient: false, authTokenTimeToLiveInSeconds: 600 };

for (const version of apiVersions) {
  const hasUsers = version === "v1.3-preview.1";
  const minimal = { ...fieldsOfAll, ...(hasUsers && { userCorrelationId: "a-user" }) };
  const neutral = {
    ...minimal,
    ...defaultsOfAll,
    ...(hasUsers && { userCorrelationIdSetInClient: false, numberOfClientAttemptsAllowed: 1 }),
  };
  /** A complete body with verify. */
  const verifying = { ...minimal, referenceImageId: "held-1" };
  const { createRequest } = codecs[version];
  const decode = (value: unknown) => createRequest.decode("liveness", json(value));
  const decodeVerify = (value: unknown) => createRequest.decode("livenessWithVerify", json(value));

  describe(`create requests of ${version}`, () => {
    for (const kind of sessionKinds) {
      test(`an encoded request for ${kind} decodes to the same request`, () => {
        const images = kind === "liveness" ? fc.constant(undefined) : fc.option(image, { nil: undefined });
        fc.assert(
          fc.property(request(version, kind), images, (sent, picture) => {
            const decoded = createRequest.decode(kind, createRequest.encode(kind, sent, picture));
            assert.deepEqual(decoded, { request: sent, ...(picture && { image: picture }) });
          }),
        );
      });
    }

    test("defaults are filled in", () => {
      assert.deepEqual(decode(minimal), { request: neutral });
    });

    test("livenessOperationMode is required and one of two values, in any case", () => {
      for (const mode of [
        "passive ",
        "Active",
        "Passive Active",
        "Pa\u017f\u017five",
        "",
        null,
        1,
        ["Passive"],
        undefined,
      ]) {
        assertRefused(
          () => decode({ ...minimal, livenessOperationMode: mode }),
          "InvalidLivenessOperationMode",
          "livenessOperationMode",
        );
      }
      assert.equal(
        decode({ ...minimal, livenessOperationMode: "PassiveActive" }).request.livenessOperationMode,
        "PassiveActive",
      );
    });

    test("authTokenTimeToLiveInSeconds is an integer from 60 to 86400", () => {
      for (const seconds of [60, 600, 86_400]) {
        assert.equal(
          decode({ ...minimal, authTokenTimeToLiveInSeconds: seconds }).request.authTokenTimeToLiveInSeconds,
          seconds,
        );
      }
      for (const seconds of [
        59,
        86_401,
        0,
        -60,
        60.5,
        1e300,
        "",
        " 60",
        "6e1",
        "0x3c",
        "59",
        "60.5",
        null,
        true,
        [600],
      ]) {
        assertRefused(
          () => decode({ ...minimal, authTokenTimeToLiveInSeconds: seconds }),
          "InvalidTokenLifetime",
          "authTokenTimeToLiveInSeconds",
        );
      }
    });

    test("deviceCorrelationId has 1 to 64 UTF-16 code units of well-formed Unicode", () => {
      for (const id of ["x", "x".repeat(64), "\u{1F600}".repeat(32), " ", "a/b", "\u0000"]) {
        assert.equal(decode({ ...minimal, deviceCorrelationId: id }).request.deviceCorrelationId, id);
      }
      for (const id of [
        "",
        "x".repeat(65),
        `${"\u{1F600}".repeat(32)}x`,
        "\ud800",
        "a\udc00b",
        5,
        {},
        null,
        undefined,
      ]) {
        assertRefused(
          () => decode({ ...minimal, deviceCorrelationId: id }),
          "InvalidDeviceCorrelationId",
          "deviceCorrelationId",
        );
      }
    });

    test("exactly one of deviceCorrelationId and deviceCorrelationIdSetInClient is required", () => {
      const { deviceCorrelationId: _, ...unnamed } = neutral;
      const inClient = { ...unnamed, deviceCorrelationIdSetInClient: true };
      assert.deepEqual(decode(inClient), { request: { ...unnamed, deviceCorrelationIdSetInClient: true } });
      assert.deepEqual(decode({ ...inClient, deviceCorrelationId: null }), decode(inClient));
      assertRefused(
        () => decode({ ...inClient, deviceCorrelationId: "x" }),
        "InvalidDeviceCorrelationId",
        "deviceCorrelationId",
      );
      assertRefused(
        () => decode({ ...inClient, deviceCorrelationIdSetInClient: false }),
        "InvalidDeviceCorrelationId",
        "deviceCorrelationId",
      );
      assertRefused(
        () => decode({ ...minimal, deviceCorrelationIdSetInClient: "true" }),
        "InvalidDeviceCorrelationId",
        "deviceCorrelationId",
      );
      assertRefused(
        () => decode({ ...minimal, deviceCorrelationIdSetInClient: "yes" }),
        "InvalidDeviceCorrelationId",
        "deviceCorrelationIdSetInClient",
      );
    });

    test("unknown fields are refused by name", () => {
      assertRefused(
        () => decodeVerify({ ...verifying, verifyConfidenceTreshold: 0.9 }),
        "InvalidRequestBody",
        "verifyConfidenceTreshold",
      );
      assertRefused(
        () => decode(JSON.parse(`{"__proto__":{},${JSON.stringify(minimal).slice(1)}`)),
        "InvalidRequestBody",
        "__proto__",
      );
      assertRefused(() => decode({ ...minimal, referenceImageId: "held-1" }), "InvalidRequestBody", "referenceImageId");
      assertRefused(
        () => decode({ ...minimal, verifyConfidenceThreshold: 0.5 }),
        "InvalidRequestBody",
        "verifyConfidenceThreshold",
      );
    });

    test("details are limited in number, and their targets are truncated and well-formed", () => {
      const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field${index}`, 1]));
      assert.equal(refusalOf(() => decode({ ...minimal, ...many })).details?.length, 16);
      const [detail] = refusalOf(() => decode({ ...minimal, [`\ud800${"x".repeat(1000)}`]: 1 })).details ?? [];
      assert.equal(detail?.target, `\ufffd${"x".repeat(63)}`);
    });

    test("a body that is not an object is refused", () => {
      for (const value of [null, [], "x", 1, undefined])
        assertRefused(() => decode(value), "InvalidRequestBody", "body");
    });

    test("errors contain no values", () => {
      const secret = "s3cret-value";
      const everywhere = {
        livenessOperationMode: secret,
        deviceCorrelationId: [secret],
        deviceCorrelationIdSetInClient: secret,
        authTokenTimeToLiveInSeconds: secret,
        clientReferenceId: { secret },
        referenceImageId: `${secret}!`,
        verifyConfidenceThreshold: secret,
      };
      const error = refusalOf(() => decodeVerify(everywhere));
      assert.doesNotMatch(JSON.stringify([error.message, error.details]), /s3cret/);
    });

    test("several errors: the code is the first of the service's table, the details are in its order", () => {
      const wrong = { livenessOperationMode: "x", authTokenTimeToLiveInSeconds: 1, deviceCorrelationId: "" };
      const three = ["authTokenTimeToLiveInSeconds", "livenessOperationMode", "deviceCorrelationId"];
      assertRefused(() => decode({ ...wrong, unknown: 1 }), "InvalidRequestBody", "unknown", ...three);
      assertRefused(() => decode(wrong), "InvalidTokenLifetime", ...three);
      assertRefused(
        () => decode({ ...wrong, authTokenTimeToLiveInSeconds: 60 }),
        "InvalidLivenessOperationMode",
        ...three.slice(1),
      );
    });

    test("additional fields are accepted in every dialect", () => {
      assert.deepEqual(decode({ ...minimal, clientReferenceId: "order 1" }), {
        request: neutral,
        clientReferenceId: "order 1",
      });
      assert.deepEqual(decodeVerify({ ...verifying, clientReferenceId: "x".repeat(128) }), {
        request: neutral,
        referenceImageId: "held-1",
        clientReferenceId: "x".repeat(128),
      });
      for (const id of ["", "x".repeat(129), "\udfff", 1, null]) {
        assertRefused(() => decode({ ...minimal, clientReferenceId: id }), "InvalidRequestBody", "clientReferenceId");
      }
      for (const id of ["", "x".repeat(65), "a b", "a\n", "ä", 1, null]) {
        assertRefused(
          () => decodeVerify({ ...minimal, referenceImageId: id }),
          "InvalidRequestBody",
          "referenceImageId",
        );
      }
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

    test("flags are booleans", () => {
      const flags = {
        "v1.1-preview.1": ["sendResultsToClient"],
        "v1.2-preview.1": ["sendResultsToClient", "enableSessionImage", "returnVerifyImageHash"],
        "v1.2": ["enableSessionImage", "returnVerifyImageHash"],
        "v1.3-preview.1": ["enableSessionImage", "returnVerifyImageHash", "userCorrelationIdSetInClient"],
      }[version];
      for (const flag of flags) {
        for (const value of ["yes", "", "true ", "1", 1, null, ["true"]]) {
          assertRefused(() => decodeVerify({ ...verifying, [flag]: value }), "InvalidRequestBody", flag);
        }
      }
    });
  });
}

test("the error for livenessOperationMode has the message of its version", () => {
  const messageOf = (version: (typeof apiVersions)[number]) =>
    refusalOf(() =>
      codecs[version].createRequest.decode("liveness", json({ ...fieldsOfAll, livenessOperationMode: "x" })),
    ).message;
  assert.equal(messageOf("v1.1-preview.1"), "Invalid livenessOperationMode specified. Must be 'Passive'.");
  assert.equal(messageOf("v1.2-preview.1"), "Invalid livenessOperationMode specified.");
  assert.equal(messageOf("v1.2"), "Invalid livenessOperationMode specified.");
});

for (const version of ["v1.2-preview.1", "v1.2"] as const) {
  const { createRequest } = codecs[version];
  test(`the threshold of ${version} is a number from 0 to 1`, () => {
    const decode = (verifyConfidenceThreshold: unknown) =>
      createRequest.decode(
        "livenessWithVerify",
        json({ ...fieldsOfAll, referenceImageId: "held-1", verifyConfidenceThreshold }),
      );
    for (const value of [0, 0.5, 1]) {
      assert.equal(decode(value).request.verifyConfidenceThreshold, value);
      assert.equal(decode(String(value)).request.verifyConfidenceThreshold, value);
    }
    for (const value of [-0.1, 1.01, Number.POSITIVE_INFINITY, "1.01", "-0.5", "5e-1", null]) {
      assertRefused(() => decode(value), "InvalidRequestBody", "verifyConfidenceThreshold");
    }
  });

  test(`a model version of ${version} is any text, with the version as its dialect`, () => {
    const name = version === "v1.2" ? "livenessModelVersion" : "livenessSingleModalModel";
    const decode = (value: unknown) => createRequest.decode("liveness", json({ ...fieldsOfAll, [name]: value }));
    assert.deepEqual(decode("2099-01-01").request, {
      ...fieldsOfAll,
      ...defaultsOfAll,
      modelVersion: "2099-01-01",
      modelVersionOf: version,
    });
    for (const value of ["", "x".repeat(129), null, 1]) assertRefused(() => decode(value), "InvalidRequestBody", name);
  });
}
