import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { BodyPart, CreateRequest } from "../../../../src/face/codec.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import { writeNumber } from "../../../../src/face/versions/multipart.ts";
import { readBoolean, readNumber } from "../../../../src/face/versions/request-fields.ts";
import { testProperty } from "../../property.ts";
import { previews } from "./arbitraries.ts";
import { assertRefused, json, multipart, refusalOf } from "./requests.ts";

type Version = keyof typeof codecs;
/** Parts of a form that is refused, and the field that the error names. */
type RefusedForm = [what: string, target: string, ...parts: BodyPart[]];

const bytes = Uint8Array.of(0xff, 0xd8, 0xff, 0);
const image = { bytes, filename: "face.jpg", contentType: "image/jpeg" };
const invalidBody = "InvalidRequestBody";
const body = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
const request = { ...body, deviceCorrelationIdSetInClient: false, authTokenTimeToLiveInSeconds: 600 };

const decode = (version: Version, ...parts: BodyPart[]): CreateRequest =>
  codecs[version].createRequest.decode("livenessWithVerify", multipart(...parts));
const decodeJson = (version: Version, value: object) =>
  codecs[version].createRequest.decode("livenessWithVerify", json(value));

const part = (name: string, content: BodyPart["content"]): BodyPart => ({ name, content });
const partsOf = (fields: object) => Object.entries(fields).map(([name, content]) => part(name, content));
const parameters = (value: unknown) => part("Parameters", JSON.stringify(value));
const namedImage = (name: string): BodyPart => ({
  ...{ name, filename: "face.jpg", contentType: "image/jpeg", content: bytes },
});
const flatImage = namedImage("verifyImage");
const previewImage = namedImage("VerifyImage");
const { filename: _, ...nameless } = flatImage;

function testRefusals(version: Version, forms: readonly RefusedForm[]): void {
  for (const [what, target, ...parts] of forms) {
    test(`with ${what} is refused`, () => assertRefused(() => decode(version, ...parts), invalidBody, target));
  }
}

describe("a form of v1.2", () => {
  const flatFields = partsOf(body);
  const decodeFlat = (...parts: BodyPart[]) => decode("v1.2", ...flatFields, ...parts);

  test("has every field as a part, as text or UTF-8 bytes", () => {
    const fields = {
      livenessOperationMode: Buffer.from("PassiveActive"),
      deviceCorrelationId: "Gerät 1",
      deviceCorrelationIdSetInClient: "False",
      authTokenTimeToLiveInSeconds: "60",
      enableSessionImage: "TRUE",
      livenessModelVersion: "2024-11-15",
      returnVerifyImageHash: "true",
      verifyConfidenceThreshold: "0.75",
      clientReferenceId: "order 1",
    };
    assert.deepEqual(decode("v1.2", ...partsOf(fields), flatImage), {
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

  test("may have a device id that looks like a number or a boolean", () => {
    for (const deviceCorrelationId of ["007", "true", "1e3"]) {
      const parts = partsOf({ ...body, deviceCorrelationId });
      assert.equal(decode("v1.2", ...parts, flatImage).request.deviceCorrelationId, deviceCorrelationId);
    }
  });

  for (const [name, code, ...texts] of [
    ["authTokenTimeToLiveInSeconds", "InvalidTokenLifetime", "", "6e2", "+600", " 600", "0x258", "600.5", "59", "NaN"],
    ["verifyConfidenceThreshold", invalidBody, "", ".5", "1.", "5e-1", "-0.5", "1.5", "0,5", "Infinity"],
    ["enableSessionImage", invalidBody, "", "1", "yes", "true ", "null"],
    ["deviceCorrelationIdSetInClient", "InvalidDeviceCorrelationId", "", "1", "yes"],
  ] as const) {
    test(`has a plain decimal, or true or false, as ${name}`, () => {
      for (const text of texts) assertRefused(() => decodeFlat(flatImage, part(name, text)), code, name);
    });
  }

  test("has at most one of image and referenceImageId; without any, the device submits the image", () => {
    const referenceImageId = "held-1";
    assert.deepEqual(decodeFlat(flatImage), { request, image });
    assert.deepEqual(decodeFlat(part("referenceImageId", referenceImageId)), { request, referenceImageId });
    assert.deepEqual(decodeFlat(), { request });
    assert.deepEqual(decodeJson("v1.2", body), { request });
    assert.deepEqual(decodeJson("v1.2", { ...body, referenceImageId }), { request, referenceImageId });
  });

  testRefusals("v1.2", [
    ["an image and the id of another", "verifyImage", ...flatFields, flatImage, part("referenceImageId", "held-1")],
    ["an image without a file name", "verifyImage", ...flatFields, nameless],
    ["an image with an empty file name", "verifyImage", ...flatFields, { ...nameless, filename: "" }],
    ["two images", "verifyImage", ...flatFields, flatImage, flatImage],
    ["a misspelt field", "verifyConfidenceTreshold", ...flatFields, flatImage, part("verifyConfidenceTreshold", "1")],
    ["a field of previews", "sendResultsToClient", ...flatFields, flatImage, part("sendResultsToClient", "true")],
    ["a field twice", "deviceCorrelationId", ...flatFields, flatImage, part("DeviceCorrelationId", "other")],
    ["no UTF-8", "clientReferenceId", ...flatFields, flatImage, part("clientReferenceId", Uint8Array.of(0xff))],
    ["the field __proto__", "__proto__", ...flatFields, flatImage, part("__proto__", "{}")],
  ]);
});

for (const version of ["v1.2", "v1.3-preview.1"] as const) {
  describe(`a form of ${version} in the layout of the previews`, () => {
    const fields = { ...body, livenessOperationMode: "passive", userCorrelationId: "a-user" };
    const twice = ["deviceCorrelationId", "DEVICECORRELATIONID"].map((name) => part(name, "another"));

    test("is the same as the flat form", () => {
      const flat = partsOf(fields);
      assert.deepEqual(decode(version, previewImage, parameters(fields)), decode(version, ...flat, flatImage));
      const inLowerCase = { ...parameters(fields), name: "parameters" };
      assert.deepEqual(decode(version, inLowerCase), decode(version, ...flat));
      const addition = part("clientReferenceId", "order 1");
      assert.equal(decode(version, parameters(fields), previewImage, addition).clientReferenceId, "order 1");
    });

    testRefusals(version, [
      ...twice.flatMap((field): RefusedForm[] => [
        [`${field.name} in both places`, "deviceCorrelationId", parameters(fields), field],
        [`${field.name} in both places, in the other order`, "deviceCorrelationId", field, parameters(fields)],
      ]),
      ["Parameters twice", "Parameters", parameters(fields), parameters(fields)],
      ["an image of each layout", "verifyImage", parameters(fields), previewImage, flatImage],
      ["an image and an id", "verifyImage", parameters({ ...fields, referenceImageId: "held" }), previewImage],
      [
        "a field of previews",
        "sendResultsToClient",
        parameters({ ...fields, sendResultsToClient: false }),
        previewImage,
      ],
      ["Parameters in Parameters", "Parameters", parameters({ ...fields, Parameters: {} }), previewImage],
      ...[[], "text", null, 1].map(
        (value): RefusedForm => [
          `${JSON.stringify(value)} as Parameters`,
          "Parameters",
          parameters(value),
          previewImage,
        ],
      ),
    ]);
  });
}

for (const version of previews) {
  describe(`a form of ${version}`, () => {
    const inside = { ...request, referenceImageId: "held-1", clientReferenceId: "c" };

    test("has the fields as one JSON part beside the image; part names are case-insensitive", () => {
      const fields = { ...parameters(request), contentType: "application/json" };
      assert.deepEqual(decode(version, fields, previewImage), { request, image });
      const inLowerCase = [namedImage("verifyimage"), { ...fields, name: "parameters" }];
      assert.deepEqual(decode(version, ...inLowerCase), { request, image });
    });

    test("has additional fields in Parameters or in parts of their own", () => {
      const beside = [part("referenceImageId", "held-1"), part("clientReferenceId", "c")];
      const expected = { request, referenceImageId: "held-1", clientReferenceId: "c" };
      assert.deepEqual(decode(version, parameters(inside)), expected);
      assert.deepEqual(decode(version, parameters(request), ...beside), expected);
    });

    testRefusals(version, [
      ["a field in both places", "clientReferenceId", parameters(inside), part("clientReferenceId", "d")],
      ["an image and an id", "VerifyImage", parameters(request), previewImage, part("referenceImageId", "x")],
      ["an empty field", "clientReferenceId", parameters(request), previewImage, part("clientReferenceId", "")],
      ["no image", "VerifyImage", parameters(request)],
      ["an image without a file name", "VerifyImage", parameters(request), { ...nameless, name: "VerifyImage" }],
      ["Parameters twice", "Parameters", parameters(request), parameters(request), previewImage],
      ["a flat field", "livenessOperationMode", parameters(request), previewImage, ...partsOf(body).slice(0, 1)],
      ["no Parameters", "Parameters", previewImage],
      ...["", "[]", "null", "{", Uint8Array.of(0xff)].map(
        (content): RefusedForm => [
          `'${content}' as Parameters`,
          "Parameters",
          part("Parameters", content),
          previewImage,
        ],
      ),
    ]);

    test("has at most 32 levels in the JSON of Parameters", () => {
      const decodeNested = (levels: number) => {
        const nested = `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
        return decode(version, part("Parameters", nested), previewImage);
      };
      assert.deepEqual(refusalOf(() => decodeNested(32)).details?.at(0)?.target, "a");
      for (const levels of [33, 30_000]) assertRefused(() => decodeNested(levels), invalidBody, "Parameters");
    });

    test("has the rules of JSON for its fields", () => {
      const both = parameters({ ...request, deviceCorrelationIdSetInClient: true });
      assertRefused(() => decode(version, both, previewImage), "InvalidDeviceCorrelationId", "deviceCorrelationId");
    });

    test("is not needed: with JSON the device submits the image", () => {
      assert.deepEqual(decodeJson(version, body), { request });
    });
  });
}

testProperty("any number is read back exactly", [fc.double({ min: 0, max: 86_400, noNaN: true })], (value) => {
  const text = writeNumber(value);
  assert.match(text, /^\d+(\.\d+)?$/);
  assert.equal(readNumber(text), value === 0 ? 0 : value);
});

test("numbers are written without an exponent; invalid booleans and numbers remain text", () => {
  assert.equal(writeNumber(1e-7), "0.0000001");
  assert.equal(writeNumber(1.25e-9), "0.00000000125");
  assert.deepEqual(["tRuE", "FALSE", "no"].map(readBoolean), [true, false, "no"]);
  assert.deepEqual(["1.50", "1e3", ""].map(readNumber), [1.5, "1e3", ""]);
});
