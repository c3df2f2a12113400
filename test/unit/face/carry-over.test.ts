import assert from "node:assert/strict";
import { test } from "node:test";
import { carryOverRules } from "../../../src/face/carry-over.ts";
import { type ApiVersion, apiVersions, type SessionKind, type SessionRequest } from "../../../src/face/model.ts";
import { codecs } from "../../../src/face/versions/codecs.ts";
import { assertRefused, refusalOf } from "./versions/requests.ts";

type Fields = Partial<SessionRequest>;

const request: SessionRequest = {
  livenessOperationMode: "Passive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  authTokenTimeToLiveInSeconds: 600,
};
/** What v1.3 also needs. */
const ofUser = { userCorrelationId: "a-user", userCorrelationIdSetInClient: false, numberOfClientAttemptsAllowed: 3 };
const image = { bytes: Uint8Array.of(1), filename: "f" };
const notSupported = "NotSupportedByUpstreamVersion";

function carry(version: ApiVersion, fields: Fields, kind: SessionKind = "livenessWithVerify") {
  const { createRequest } = codecs[version];
  const picture = kind === "liveness" ? undefined : image;
  const sent = { ...request, ...ofUser, ...fields };
  return createRequest.decode(kind, createRequest.encode(kind, sent, picture)).request;
}

const requestTo = (version: ApiVersion) => ({ ...request, ...(version === "v1.3-preview.1" && ofUser) });

const ofPreview = { modelVersion: "2023-12-20-preview.06", modelVersionOf: "v1.2-preview.1" } as const;
const ofStable = { modelVersion: "2024-11-15", modelVersionOf: "v1.2" } as const;
const [carried, leftOut] = ["carried", "left out"];

/** What becomes of fields towards each version, from the oldest: carried, left out, or refused with this field's name. */
const outcomes: [fields: Fields, ...towards: string[]][] = [
  [{ sendResultsToClient: true }, carried, carried, "sendResultsToClient", "sendResultsToClient"],
  [{ sendResultsToClient: false }, carried, carried, leftOut, leftOut],
  [{ enableSessionImage: true }, "enableSessionImage", carried, carried, carried],
  [{ enableSessionImage: false }, leftOut, carried, carried, carried],
  [{ returnVerifyImageHash: true }, "returnVerifyImageHash", carried, carried, carried],
  [{ returnVerifyImageHash: false }, leftOut, carried, carried, carried],
  // The app applies the threshold itself.
  [{ verifyConfidenceThreshold: 0.9 }, leftOut, carried, carried, carried],
  [{ verifyConfidenceThreshold: 0 }, leftOut, carried, carried, carried],
  [ofPreview, "livenessSingleModalModel", carried, "livenessSingleModalModel", "livenessSingleModalModel"],
  [ofStable, "livenessModelVersion", "livenessModelVersion", carried],
  [{ userCorrelationId: "u", numberOfClientAttemptsAllowed: 1 }, leftOut, leftOut, leftOut, carried],
  [{ expectedClientIpAddress: "203.0.113.0/24" }, ...Array(3).fill("expectedClientIpAddress"), carried],
  [{ userCorrelationIdSetInClient: true }, ...Array(3).fill("userCorrelationIdSetInClient")],
];
for (const [fields, ...towards] of outcomes) {
  for (const [index, outcome] of towards.entries()) {
    const version = apiVersions[index] ?? assert.fail();
    const expected = { ...requestTo(version), ...(outcome === carried && fields) };
    test(`${JSON.stringify(fields)} towards ${version}: ${outcome}`, () => {
      if (outcome === carried || outcome === leftOut) assert.deepEqual(carry(version, fields), expected);
      else assertRefused(() => carry(version, fields), notSupported, outcome);
    });
  }
}

test("a model version of a dialect with the same field is sent on", () => {
  assert.equal(carry("v1.2", { modelVersion: "2024-11-15" }).modelVersion, "2024-11-15");
  assert.equal(carry("v1.3-preview.1", ofStable).modelVersion, "2024-11-15");
  assert.equal(carry("v1.2", { ...ofStable, modelVersionOf: "v1.3-preview.1" }).modelVersion, "2024-11-15");
});

test("a session with verify may be created without an image, which the device submits", () => {
  for (const { version, createRequest } of Object.values(codecs)) {
    const isForm = version === "v1.2" || version === "v1.3-preview.1";
    assert.equal(createRequest.encode("livenessWithVerify", request).type, isForm ? "multipart" : "json");
  }
});

for (const version of apiVersions) {
  test(`fields of sessions with verify are refused for others towards ${version}, not dropped`, () => {
    for (const [name, value] of Object.entries({ verifyConfidenceThreshold: 0.5, returnVerifyImageHash: true })) {
      assertRefused(() => carry(version, { [name]: value }, "liveness"), notSupported, name);
    }
    const withImage = () => codecs[version].createRequest.encode("liveness", request, image);
    assertRefused(withImage, notSupported, "verifyImage");
    assert.deepEqual(carry(version, { returnVerifyImageHash: false }, "liveness"), requestTo(version));
  });

  test(`fields of users and addresses have the same rules for sessions without verify towards ${version}`, () => {
    const address = { expectedClientIpAddress: "203.0.113.0/24" };
    if (version === "v1.3-preview.1") {
      assert.deepEqual(carry(version, address, "liveness"), { ...requestTo(version), ...address });
    } else {
      assertRefused(() => carry(version, address, "liveness"), notSupported, "expectedClientIpAddress");
      const inClient = { userCorrelationIdSetInClient: true };
      assertRefused(() => carry(version, inClient, "liveness"), notSupported, "userCorrelationIdSetInClient");
    }
  });
}

test("the error contains the field and the upstream version", () => {
  const { message } = refusalOf(() => carry("v1.2", { sendResultsToClient: true }));
  const version = "Version v1.2 of the Face API, which this deployment calls,";
  assert.equal(message, `${version} does not support sendResultsToClient as requested.`);
});

test("the table has a rule for every optional field and version", () => {
  const named = carryOverRules.map(({ field }) => field);
  assert.equal(new Set(named).size, named.length);
  for (const { towards } of carryOverRules) assert.deepEqual(Object.keys(towards), [...apiVersions]);
});
