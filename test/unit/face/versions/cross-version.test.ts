import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionState } from "../../../../src/face/model.ts";
import { codecs } from "../../../../src/face/versions/codecs.ts";
import { previews } from "./arbitraries.ts";

const faceRectangle = { top: 1, left: 2, width: 3, height: 4 };
const verifyReferences = [{ referenceType: "Color", faceRectangle, qualityForRecognition: "high" }];

const error = { code: "FaceWithMaskDetected", message: "m" };
const result = {
  livenessDecision: "realface",
  targets: { color: { faceRectangle } },
  digest: "D2",
  verifyResult: { matchConfidence: 0.9, isIdentical: true },
};

/** A session of the v1.2 service, newest attempt first. */
const v12Session = (modelVersion: string, latest: object) => ({
  ...{ sessionId: "s", status: "Succeeded", modelVersion },
  results: {
    verifyReferences,
    attempts: [
      { attemptId: 2, attemptStatus: "Succeeded", result: latest },
      { attemptId: 1, attemptStatus: "Failed", error },
    ],
  },
});
const fromStore = {
  createdDateTime: "2025-01-01T00:00:00Z",
  sessionStartDateTime: "2025-01-01T00:00:10Z",
  sessionExpired: false,
  deviceCorrelationId: "d",
  authTokenTimeToLiveInSeconds: 600,
};
const v12Wire = v12Session("2024-11-15", { ...result, sessionImageId: "i2", verifyImageHash: "h" });
const fromV12: SessionState = { ...codecs["v1.2"].session.decode("livenessWithVerify", v12Wire), ...fromStore };

/** An audit entry without the facts that v1.2 does not return. */
const entryOf = (id: number, body: object, statusCode: number, digest: string) => ({
  ...{ id, sessionId: "s", requestId: "", clientRequestId: "", digest },
  request: { url: "", method: "", contentType: "" },
  response: { body, statusCode, latencyInMilliseconds: 0 },
});
const failedEntry = entryOf(1, { error }, 400, "");

for (const version of previews) {
  const { session, auditEntries } = codecs[version];
  const images = version === "v1.1-preview.1" ? {} : { sessionImageId: "i2", verifyImageHash: "h" };
  const target = { faceRectangle, fileName: "", timeOffsetWithinFile: 0, imageType: "Color" };
  const verifyImage = { faceRectangle, qualityForRecognition: "high" };

  test(`${version}: the latest attempt of a v1.2 session is its result`, () => {
    const verifyResult = { ...result.verifyResult, verifyImage };
    const body = { livenessDecision: "realface", target, modelVersionUsed: "2024-11-15", verifyResult };
    assert.deepEqual(session.encode("livenessWithVerify", fromV12), {
      ...{ id: "s", ...fromStore, status: "ResultAvailable" },
      result: { ...entryOf(2, body, 200, "D2"), ...images },
    });
  });

  test(`${version}: every ended attempt of a v1.2 session is an audit entry`, () => {
    const attempts = [...fromV12.attempts, { attemptId: 3, attemptStatus: "Running" }];
    const entries = auditEntries?.encode("s", attempts);
    assert.ok(Array.isArray(entries));
    assert.equal(entries.length, 2);
    assert.deepEqual(entries[0], failedEntry);
    const { livenessDecision } = result;
    assert.partialDeepStrictEqual(entries[1], { id: 2, digest: "D2", response: { body: { livenessDecision } } });
  });

  test(`${version}: an encoded v1.2 session decodes to the same result`, () => {
    const { attempts, status } = session.decode("livenessWithVerify", session.encode("livenessWithVerify", fromV12));
    assert.equal(status, "Succeeded");
    assert.deepEqual(attempts[0]?.result, { ...result, ...images });
  });

  test(`${version}: statuses of v1.2 are converted in both directions`, () => {
    const [failed, succeeded] = fromV12.attempts;
    assert.ok(failed && succeeded);
    const running = { attemptId: 2, attemptStatus: "Running" };
    const rows: [neutral: string, attempts: SessionState["attempts"], wire: string, back: string][] = [
      ["NotStarted", [], "NotStarted", "NotStarted"],
      ["Running", [], "Started", "Running"],
      ["Running", [{ attemptId: 1, attemptStatus: "Running" }], "Started", "Running"],
      ["Running", [failed], "ResultAvailable", "Failed"],
      ["Running", [failed, running], "ResultAvailable", "Failed"],
      ["Succeeded", [failed, succeeded], "ResultAvailable", "Succeeded"],
      ["Failed", [failed], "ResultAvailable", "Failed"],
      ["Failed", [], "Started", "Running"],
      ["Canceled", [], "NotStarted", "NotStarted"],
      ["Canceled", [failed], "ResultAvailable", "Failed"],
      ["SomethingNew", [succeeded], "ResultAvailable", "Succeeded"],
    ];
    for (const [status, attempts, wire, back] of rows) {
      const encoded = session.encode("liveness", { ...fromStore, sessionId: "s", status, attempts });
      assert.partialDeepStrictEqual(encoded, { status: wire });
      assert.equal(Object.hasOwn(Object(encoded), "result"), wire === "ResultAvailable");
      assert.equal(session.decode("liveness", encoded).status, back);
    }
  });

  test(`v1.2: audit entries of ${version} are attempts`, () => {
    const body = {
      ...{ livenessDecision: "spoofface", target, modelVersionUsed: "m1" },
      verifyResult: { verifyImage, matchConfidence: 0.1, isIdentical: false },
    };
    const entry = { id: 20, response: { body, statusCode: 200 }, digest: "D", request: { url: "/u" }, requestId: "r" };
    const wire = { id: "s", ...fromStore, status: "ResultAvailable", result: entry };
    const state = session.decode("livenessWithVerify", wire);
    const attempts = auditEntries?.decode([entry, { ...failedEntry, id: 10 }]) ?? [];
    const latest = {
      ...{ livenessDecision: "spoofface", targets: result.targets, digest: "D" },
      verifyResult: { matchConfidence: 0.1, isIdentical: false },
    };
    const encoded = codecs["v1.2"].session.encode("livenessWithVerify", { ...state, attempts });
    assert.deepEqual(encoded, v12Session("m1", latest));
  });

  test(`${version}: a created session of v1.2 is converted in both directions`, () => {
    const created = { sessionId: "s", authToken: "t", modelVersion: "2024-11-15", verifyReferences };
    const wire = { sessionId: "s", authToken: "t", verifyImage };
    assert.deepEqual(codecs[version].createResponse.encode("livenessWithVerify", created), wire);
    const decoded = codecs[version].createResponse.decode("livenessWithVerify", wire);
    assert.deepEqual(codecs["v1.2"].createResponse.encode("livenessWithVerify", decoded), {
      sessionId: "s",
      authToken: "t",
      status: "NotStarted",
      results: { verifyReferences, attempts: [] },
    });
  });
}

test("an unknown status of a preview passes through", () => {
  const wire = { id: "s", createdDateTime: "c", sessionExpired: false, status: "Paused" };
  assert.equal(codecs["v1.1-preview.1"].session.decode("liveness", wire).status, "Paused");
});
