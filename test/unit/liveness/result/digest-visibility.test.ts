import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, SessionState } from "../../../../src/face/model.ts";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { attemptFor, sessionFieldsFor } from "../../../../src/liveness/result/digest-visibility.ts";
import { newRecord } from "../../fakes/seed.ts";
import { startOfTime, trusted } from "../../fakes/world.ts";

const user: Caller = { trusted: false, owner: "alice" };
const digest = "ABCDEF0123456789";
/** A succeeded and a failed attempt, with or without digests in every place where the service could return one. */
function attemptsWith(isShown: boolean): [succeeded: Attempt, failed: Attempt] {
  const field = (name = "digest") => (isShown ? { [name]: digest } : {});
  const kept = [1, field("Digest")];
  const id = "9007199254740993";
  const body = { ...field(), modelVersionUsed: "m" };
  const error = { code: "FaceTrackingFailed", message: "The face was lost.", extra: field() };
  return [
    {
      ...{ attemptId: 1, attemptStatus: "Succeeded", extra: field("attemptDigest") },
      result: { livenessDecision: "realface", ...field(), extra: { ...field("resultDigest"), kept } },
      audit: { id, statusCode: 200, body, extra: { nested: field() } },
    },
    {
      ...{ attemptId: 2, attemptStatus: "Failed", error },
      audit: { id: "2", extra: { ...field(), sessionImageId: "i" } },
    },
  ];
}
const [succeeded, failed] = attemptsWith(true);
const withoutDigests = attemptsWith(false);
const before = newRecord(startOfTime);
const mismatched = newRecord(startOfTime, { clientDigest: "00", reasons: ["ClientDigestMismatch"] });

describe("attemptFor", () => {
  test("trusted service -> attempt with digests", () => {
    for (const attempt of [succeeded, failed]) assert.equal(attemptFor(trusted, before, attempt), attempt);
  });

  test("user before a matching digest was recorded -> attempt without digests in any property", () => {
    for (const record of [before, newRecord(startOfTime, { clientDigest: "00" })]) {
      const seen = [succeeded, failed].map((attempt) => attemptFor(user, record, attempt));
      assert.deepEqual(seen, withoutDigests);
    }
  });

  test("user who reported the digest -> visible in that attempt only", () => {
    const record = newRecord(startOfTime, { clientDigest: digest.toLowerCase(), reasons: ["RealFace"] });
    assert.equal(attemptFor(user, record, succeeded), succeeded);
    const later = { ...succeeded, attemptId: 2, result: { ...succeeded.result, digest: "FF" } };
    assert.equal(attemptFor(user, record, later).result?.digest, undefined);
    assert.deepEqual(attemptFor(user, record, failed), withoutDigests[1]);
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

test("sessionFieldsFor: user before a matching digest was recorded -> fields without digests", () => {
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
