import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { BodyPart, CreateRequest } from "../../../../src/face/codec.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import { writeNumber } from "../../../../src/face/versions/multipart.ts";
import { readBoolean, readNumber } from "../../../../src/face/versions/parse-request.ts";
import { assertRefused, refusalOf } from "./refusals.ts";

const bytes = Uint8Array.of(0xff, 0xd8, 0xff, 0);

function decode(version: keyof typeof codecs, ...parts: BodyPart[]): CreateRequest {
  return codecs[version].createRequest.decode("livenessWithVerify", { type: "multipart", parts });
}

const flatImage: BodyPart = { name: "verifyImage", filename: "face.jpg", contentType: "image/jpeg", content: bytes };
const flatFields: BodyPart[] = [
  { name: "livenessOperationMode", content: "Passive" },
  { name: "deviceCorrelationId", content: "a-device" },
];
const decodeFlat = (...parts: BodyPart[]) => decode("v1.2", ...flatFields, ...parts);

const request = {
  livenessOperationMode: "Passive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  authTokenTimeToLiveInSeconds: 600,
};
const image = { bytes, filename: "face.jpg", contentType: "image/jpeg" };

test("v1.2: every field is a part, as text or UTF-8 bytes", () => {
  const decoded = decode(
    "v1.2",
    { name: "livenessOperationMode", content: Buffer.from("PassiveActive") },
    { name: "deviceCorrelationId", content: "Gerät 1" },
    { name: "deviceCorrelationIdSetInClient", content: "False" },
    { name: "authTokenTimeToLiveInSeconds", content: "60" },
    { name: "enableSessionImage", content: "TRUE" },
    { name: "livenessModelVersion", content: "2024-11-15" },
    { name: "returnVerifyImageHash", content: "true" },
    { name: "verifyConfidenceThreshold", content: "0.75" },
    { name: "clientReferenceId", content: "order 1" },
    flatImage,
  );
  assert.deepEqual(decoded, {
    request: {
      livenessOperationMode: "PassiveActive",
      deviceCorrelationId: "Gerät 1",
      deviceCorrelationIdSetInClient: false,
      authTokenTimeToLiveInSeconds: 60,
      enableSessionImage: true,
      modelVersion: "2024-11-15",
      modelVersionOf: "v1.2",
      returnVerifyImageHash: true,
      verifyConfidenceThreshold: 0.75,
    },
    image,
    clientReferenceId: "order 1",
  });
});

test("v1.2: a device id that looks like a number or a boolean stays text", () => {
  for (const id of ["007", "true", "1e3"]) {
    const parts = [
      { name: "livenessOperationMode", content: "Passive" },
      { name: "deviceCorrelationId", content: id },
    ];
    assert.equal(decode("v1.2", ...parts, flatImage).request.deviceCorrelationId, id);
  }
});

test("v1.2: numbers are plain decimals, booleans are true or false", () => {
  const wrong: [name: string, code: string, texts: string[]][] = [
    [
      "authTokenTimeToLiveInSeconds",
      "InvalidTokenLifetime",
      ["", "6e2", "+600", " 600", "0x258", "600.5", "59", "NaN"],
    ],
    ["verifyConfidenceThreshold", "InvalidRequestBody", ["", ".5", "1.", "5e-1", "-0.5", "1.5", "0,5", "Infinity"]],
    ["enableSessionImage", "InvalidRequestBody", ["", "1", "yes", "true ", "null"]],
    ["deviceCorrelationIdSetInClient", "InvalidDeviceCorrelationId", ["", "1", "yes"]],
  ];
  for (const [name, code, texts] of wrong) {
    for (const content of texts) assertRefused(() => decodeFlat(flatImage, { name, content }), code, name);
  }
});

test("v1.2: at most one of image and referenceImageId; without any, the device submits the image", () => {
  assert.deepEqual(decodeFlat(flatImage), { request, image });
  assert.deepEqual(decodeFlat({ name: "referenceImageId", content: "held-1" }), {
    request,
    referenceImageId: "held-1",
  });
  assert.deepEqual(decodeFlat(), { request });
  assertRefused(
    () => decodeFlat(flatImage, { name: "referenceImageId", content: "held-1" }),
    "InvalidRequestBody",
    "verifyImage",
  );
  const json = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
  const decodeJson = (value: object) =>
    codecs["v1.2"].createRequest.decode("livenessWithVerify", { type: "json", value });
  assert.deepEqual(decodeJson(json), { request });
  assert.deepEqual(decodeJson({ ...json, referenceImageId: "held-1" }), { request, referenceImageId: "held-1" });
});

test("previews: the JSON of Parameters has at most 32 levels", () => {
  const nested = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  for (const version of ["v1.1-preview.1", "v1.2-preview.1"] as const) {
    const image = { ...flatImage, name: "VerifyImage" };
    const decodeNested = (levels: number) => decode(version, { name: "Parameters", content: nested(levels) }, image);
    assert.deepEqual(refusalOf(() => decodeNested(32)).details?.at(0)?.target, "a");
    assertRefused(() => decodeNested(33), "InvalidRequestBody", "Parameters");
    assertRefused(() => decodeNested(30_000), "InvalidRequestBody", "Parameters");
  }
});

test("the image's part must have a file name", () => {
  const { filename: _, ...nameless } = flatImage;
  assertRefused(() => decodeFlat(nameless), "InvalidRequestBody", "verifyImage");
  assertRefused(() => decodeFlat({ ...nameless, filename: "" }), "InvalidRequestBody", "verifyImage");
  const parameters = { name: "Parameters", content: JSON.stringify(request) };
  for (const version of ["v1.1-preview.1", "v1.2-preview.1"] as const) {
    assertRefused(
      () => decode(version, parameters, { ...nameless, name: "VerifyImage" }),
      "InvalidRequestBody",
      "VerifyImage",
    );
  }
});

test("v1.2: unknown, duplicate and wrongly encoded parts are refused", () => {
  assertRefused(
    () => decodeFlat(flatImage, { name: "verifyConfidenceTreshold", content: "1" }),
    "InvalidRequestBody",
    "verifyConfidenceTreshold",
  );
  assertRefused(
    () => decodeFlat(flatImage, { name: "sendResultsToClient", content: "true" }),
    "InvalidRequestBody",
    "sendResultsToClient",
  );
  assertRefused(() => decodeFlat(flatImage, flatImage), "InvalidRequestBody", "verifyImage");
  assertRefused(
    () => decodeFlat(flatImage, { name: "DeviceCorrelationId", content: "other" }),
    "InvalidRequestBody",
    "deviceCorrelationId",
  );
  assertRefused(
    () => decodeFlat(flatImage, { name: "clientReferenceId", content: Uint8Array.of(0xff) }),
    "InvalidRequestBody",
    "clientReferenceId",
  );
  assertRefused(() => decodeFlat(flatImage, { name: "__proto__", content: "{}" }), "InvalidRequestBody", "__proto__");
});

for (const version of ["v1.1-preview.1", "v1.2-preview.1"] as const) {
  const parameters = { name: "Parameters", contentType: "application/json", content: JSON.stringify(request) };
  const picture = { ...flatImage, name: "VerifyImage" };

  test(`${version}: the fields are one JSON part beside the image; part names are case-insensitive`, () => {
    assert.deepEqual(decode(version, parameters, picture), { request, image });
    assert.deepEqual(decode(version, { ...picture, name: "verifyimage" }, { ...parameters, name: "parameters" }), {
      request,
      image,
    });
  });

  test(`${version}: additional fields are in Parameters or in parts of their own`, () => {
    const inside = {
      ...parameters,
      content: JSON.stringify({ ...request, referenceImageId: "held-1", clientReferenceId: "c" }),
    };
    const beside = [
      { name: "referenceImageId", content: "held-1" },
      { name: "clientReferenceId", content: "c" },
    ];
    const expected = { request, referenceImageId: "held-1", clientReferenceId: "c" };
    assert.deepEqual(decode(version, inside), expected);
    assert.deepEqual(decode(version, parameters, ...beside), expected);
    assertRefused(
      () => decode(version, inside, { name: "clientReferenceId", content: "d" }),
      "InvalidRequestBody",
      "clientReferenceId",
    );
    assertRefused(
      () => decode(version, parameters, picture, { name: "referenceImageId", content: "x" }),
      "InvalidRequestBody",
      "VerifyImage",
    );
    assertRefused(
      () => decode(version, parameters, picture, { name: "clientReferenceId", content: "" }),
      "InvalidRequestBody",
      "clientReferenceId",
    );
  });

  test(`${version}: a form requires Parameters and an image`, () => {
    assertRefused(() => decode(version, parameters), "InvalidRequestBody", "VerifyImage");
    assertRefused(() => decode(version, parameters, parameters, picture), "InvalidRequestBody", "Parameters");
    assertRefused(
      () => decode(version, parameters, picture, { name: "livenessOperationMode", content: "Passive" }),
      "InvalidRequestBody",
      "livenessOperationMode",
    );
    for (const content of ["", "[]", "null", "{", Uint8Array.of(0xff)]) {
      const error = () => decode(version, { name: "Parameters", content }, picture);
      assertRefused(error, "InvalidRequestBody", "Parameters");
    }
    assertRefused(() => decode(version, picture), "InvalidRequestBody", "Parameters");
  });

  test(`${version}: the fields of a form have the same rules as JSON`, () => {
    const sample = { ...request, deviceCorrelationIdSetInClient: true };
    assertRefused(
      () => decode(version, { ...parameters, content: JSON.stringify(sample) }, picture),
      "InvalidDeviceCorrelationId",
      "deviceCorrelationId",
    );
  });

  test(`${version}: with JSON the device submits the image`, () => {
    const value = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
    assert.deepEqual(codecs[version].createRequest.decode("livenessWithVerify", { type: "json", value }), { request });
  });
}

test("numbers are written without an exponent, and read back exactly", () => {
  assert.equal(writeNumber(1e-7), "0.0000001");
  assert.equal(writeNumber(1.25e-9), "0.00000000125");
  fc.assert(
    fc.property(fc.double({ min: 0, max: 86_400, noNaN: true }), (value) => {
      const text = writeNumber(value);
      assert.match(text, /^\d+(\.\d+)?$/);
      assert.equal(readNumber(text), value === 0 ? 0 : value);
    }),
  );
});

test("invalid booleans and numbers remain text", () => {
  assert.deepEqual(["tRuE", "FALSE", "no"].map(readBoolean), [true, false, "no"]);
  assert.deepEqual(["1.50", "1e3", ""].map(readNumber), [1.5, "1e3", ""]);
});
