import assert from "node:assert/strict";
import { test } from "node:test";
import { carryOverRules } from "../../../src/face/carry-over.ts";
import { type ApiVersion, apiVersions, type SessionKind, type SessionRequest } from "../../../src/face/model.ts";
import { codecs } from "../../../src/face/versions/codecs.ts";
import { assertRefused, refusalOf } from "./versions/refusals.ts";

const request: SessionRequest = {
  livenessOperationMode: "Passive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  authTokenTimeToLiveInSeconds: 600,
};
/** What v1.3 also needs. */
const ofUser = { userCorrelationId: "a-user", userCorrelationIdSetInClient: false, numberOfClientAttemptsAllowed: 3 };
const image = { bytes: Uint8Array.of(1), filename: "f" };

function carry(version: ApiVersion, fields: Partial<SessionRequest>, kind: SessionKind = "livenessWithVerify") {
  const { createRequest } = codecs[version];
  const picture = kind === "liveness" ? undefined : image;
  const sent = { ...request, ...ofUser, ...fields };
  return createRequest.decode(kind, createRequest.encode(kind, sent, picture)).request;
}

function requestTo(version: ApiVersion): SessionRequest {
  return { ...request, ...(version === "v1.3-preview.1" && ofUser) };
}

function assertLeftOut(version: ApiVersion, fields: Partial<SessionRequest>) {
  assert.deepEqual(carry(version, fields), requestTo(version));
}

function assertCarried(version: ApiVersion, fields: Partial<SessionRequest>) {
  assert.deepEqual(carry(version, fields), { ...requestTo(version), ...fields });
}

test("sendResultsToClient: true is refused towards v1.2, false is left out", () => {
  assertRefused(
    () => carry("v1.2", { sendResultsToClient: true }),
    "NotSupportedByUpstreamVersion",
    "sendResultsToClient",
  );
  assertLeftOut("v1.2", { sendResultsToClient: false });
  for (const sendResultsToClient of [true, false]) {
    assertCarried("v1.1-preview.1", { sendResultsToClient });
    assertCarried("v1.2-preview.1", { sendResultsToClient });
  }
});

test("enableSessionImage and returnVerifyImageHash: true are refused towards v1.1-preview.1", () => {
  for (const field of ["enableSessionImage", "returnVerifyImageHash"] as const) {
    assertRefused(() => carry("v1.1-preview.1", { [field]: true }), "NotSupportedByUpstreamVersion", field);
    assertLeftOut("v1.1-preview.1", { [field]: false });
    assertCarried("v1.2-preview.1", { [field]: true });
    assertCarried("v1.2", { [field]: true });
  }
});

test("the threshold is left out towards v1.1-preview.1, as the app applies it", () => {
  assertLeftOut("v1.1-preview.1", { verifyConfidenceThreshold: 0.9 });
  assertCarried("v1.2-preview.1", { verifyConfidenceThreshold: 0 });
  assertCarried("v1.2", { verifyConfidenceThreshold: 0.9 });
});

test("a model version is carried to its own version only; the error has the caller's field name", () => {
  const ofPreview = { modelVersion: "2023-12-20-preview.06", modelVersionOf: "v1.2-preview.1" } as const;
  const ofStable = { modelVersion: "2024-11-15", modelVersionOf: "v1.2" } as const;
  assertCarried("v1.2-preview.1", ofPreview);
  assertCarried("v1.2", ofStable);
  for (const version of ["v1.1-preview.1", "v1.2"] as const) {
    assertRefused(() => carry(version, ofPreview), "NotSupportedByUpstreamVersion", "livenessSingleModalModel");
  }
  for (const version of ["v1.1-preview.1", "v1.2-preview.1"] as const) {
    assertRefused(() => carry(version, ofStable), "NotSupportedByUpstreamVersion", "livenessModelVersion");
  }
  assert.equal(carry("v1.2", { modelVersion: "2024-11-15" }).modelVersion, "2024-11-15");
  // The same field exists in both: the value of the other dialect is sent on.
  assert.equal(carry("v1.3-preview.1", ofStable).modelVersion, "2024-11-15");
  assert.equal(carry("v1.2", { ...ofStable, modelVersionOf: "v1.3-preview.1" }).modelVersion, "2024-11-15");
});

test("a session with verify may be created without an image, which the device submits", () => {
  for (const { version, createRequest } of Object.values(codecs)) {
    const isForm = version === "v1.2" || version === "v1.3-preview.1";
    assert.equal(createRequest.encode("livenessWithVerify", request).type, isForm ? "multipart" : "json");
  }
});

test("fields of sessions with verify are refused for others, not dropped", () => {
  for (const version of apiVersions) {
    const carryWith = (fields: Partial<SessionRequest>) => () => carry(version, fields, "liveness");
    const { createRequest } = codecs[version];
    assertRefused(
      carryWith({ verifyConfidenceThreshold: 0.5 }),
      "NotSupportedByUpstreamVersion",
      "verifyConfidenceThreshold",
    );
    assertRefused(carryWith({ returnVerifyImageHash: true }), "NotSupportedByUpstreamVersion", "returnVerifyImageHash");
    assertRefused(
      () => createRequest.encode("liveness", request, image),
      "NotSupportedByUpstreamVersion",
      "verifyImage",
    );
    assert.deepEqual(carryWith({ returnVerifyImageHash: false })(), requestTo(version));
  }
});

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

test("user id and limit of attempts are left out towards older versions, which know neither", () => {
  for (const version of apiVersions.filter((version) => version !== "v1.3-preview.1")) {
    assertLeftOut(version, { userCorrelationId: "u", numberOfClientAttemptsAllowed: 1 });
  }
  assertCarried("v1.3-preview.1", { userCorrelationId: "u", numberOfClientAttemptsAllowed: 1 });
});

test("an expected address and a user id from the device are refused towards older versions", () => {
  for (const kind of ["liveness", "livenessWithVerify"] as const) {
    for (const version of apiVersions.filter((version) => version !== "v1.3-preview.1")) {
      const address = { expectedClientIpAddress: "203.0.113.0/24" };
      const refused = "NotSupportedByUpstreamVersion";
      assertRefused(() => carry(version, address, kind), refused, "expectedClientIpAddress");
      const inClient = { userCorrelationIdSetInClient: true };
      assertRefused(() => carry(version, inClient, kind), refused, "userCorrelationIdSetInClient");
    }
    const { expectedClientIpAddress } = carry("v1.3-preview.1", { expectedClientIpAddress: "203.0.113.0/24" }, kind);
    assert.equal(expectedClientIpAddress, "203.0.113.0/24");
  }
});
