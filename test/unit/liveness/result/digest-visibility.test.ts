import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, SessionState } from "../../../../src/face/model.ts";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { attemptFor, sessionFieldsFor } from "../../../../src/liveness/result/digest-visibility.ts";
import { newRecord } from "../../fakes/seed.ts";
import { startOfTime, trusted } from "../../fakes/world.ts";

const user: Caller = { trusted: false, owner: "alice" };
const digest = "ABCDEF0123456789";
const succeeded: Attempt = {
  attemptId: 1,
  attemptStatus: "Succeeded",
  result: { livenessDecision: "realface", digest, extra: { resultDigest: digest, kept: [1, { Digest: digest }] } },
  audit: {
    id: "9007199254740993",
    statusCode: 200,
    body: { digest, modelVersionUsed: "m" },
    extra: { nested: { digest } },
  },
  extra: { attemptDigest: digest },
};
const failed: Attempt = {
  attemptId: 2,
  attemptStatus: "Failed",
  error: { code: "FaceTrackingFailed", message: "The face was lost.", extra: { digest } },
  audit: { id: "2", extra: { digest, sessionImageId: "i" } },
};
const withoutDigests = new Map<Attempt, Attempt>([
  [
    succeeded,
    {
      attemptId: 1,
      attemptStatus: "Succeeded",
      result: { livenessDecision: "realface", extra: { kept: [1, {}] } },
      audit: { id: "9007199254740993", statusCode: 200, body: { modelVersionUsed: "m" }, extra: { nested: {} } },
      extra: {},
    },
  ],
  [
    failed,
    {
      attemptId: 2,
      attemptStatus: "Failed",
      error: { code: "FaceTrackingFailed", message: "The face was lost.", extra: {} },
      audit: { id: "2", extra: { sessionImageId: "i" } },
    },
  ],
]);
const before = newRecord(startOfTime);
const mismatched = newRecord(startOfTime, { clientDigest: "00", reasons: ["ClientDigestMismatch"] });

describe("attemptFor", () => {
  test("trusted service -> attempt with digests", () => {
    for (const attempt of [succeeded, failed]) assert.equal(attemptFor(trusted, before, attempt), attempt);
  });

  test("user before a matching digest was recorded -> attempt without digests in any property", () => {
    for (const record of [before, newRecord(startOfTime, { clientDigest: "00" })]) {
      for (const attempt of [succeeded, failed]) {
        assert.deepEqual(attemptFor(user, record, attempt), withoutDigests.get(attempt));
      }
    }
  });

  test("user who reported the digest -> visible in that attempt only", () => {
    const record = newRecord(startOfTime, { clientDigest: digest.toLowerCase(), reasons: ["RealFace"] });
    assert.equal(attemptFor(user, record, succeeded), succeeded);
    const later = { ...succeeded, attemptId: 2, result: { ...succeeded.result, digest: "FF" } };
    assert.equal(attemptFor(user, record, later).result?.digest, undefined);
    assert.deepEqual(attemptFor(user, record, failed), withoutDigests.get(failed));
  });

  test("session rejected for a mismatch -> visible", () => {
    for (const attempt of [succeeded, failed]) assert.equal(attemptFor(user, mismatched, attempt), attempt);
  });
});

describe("attemptFor with a finding of abuse monitoring", () => {
  const others = [{ attemptId: 1, sessionId: "of-another-person", sessionImageId: "an-image" }];
  const flagged: Attempt = {
    ...succeeded,
    abuseMonitoringResult: { isAbuseDetected: true, otherFlaggedSessions: others },
  };
  // Fields that a later version of the service may add.
  Object.assign(flagged.abuseMonitoringResult ?? {}, { otherPeople: ["another-person"] });

  test("trusted service -> the flagged sessions, with all fields", () => {
    assert.equal(attemptFor(trusted, before, flagged), flagged);
  });

  test("user, also one who sees the digest -> the finding without anything of other sessions", () => {
    const matching = newRecord(startOfTime, { clientDigest: digest, reasons: ["RealFace", "AbuseDetected"] });
    for (const record of [before, matching, mismatched]) {
      const { abuseMonitoringResult } = attemptFor(user, record, flagged);
      assert.deepEqual(abuseMonitoringResult, { isAbuseDetected: true, otherFlaggedSessions: [] });
    }
  });
});

describe("sessionFieldsFor", () => {
  test("user before a matching digest was recorded -> fields without digests", () => {
    const state: SessionState = {
      sessionId: "s",
      status: "Succeeded",
      attempts: [succeeded],
      extra: { digest, results: { lastDigest: digest, kept: true } },
    };
    const seen = sessionFieldsFor(user, before, state);
    assert.deepEqual(seen, { ...state, extra: { results: { kept: true } } });
    for (const [caller, record] of [
      [trusted, before],
      [user, mismatched],
    ] as const) {
      assert.equal(sessionFieldsFor(caller, record, state), state);
    }
  });
});
