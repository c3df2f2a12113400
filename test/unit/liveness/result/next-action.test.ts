import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decisions, type SessionRecord } from "../../../../src/liveness/model/session.ts";
import { decide, hasIntegrityFailure, type Reason, reasonCodes } from "../../../../src/liveness/result/decision.ts";
import { nextStep } from "../../../../src/liveness/result/next-action.ts";
import { newRecord } from "../../fakes/seed.ts";
import { startOfTime } from "../../fakes/world.ts";
import { type AttemptOutcome, attempts, evidence, failed } from "./evidence.ts";

const tokenEnd = startOfTime + 600_000;
/** Two minutes after the token's end no attempt can end any more. */
const lastEnd = tokenEnd + 120_000;
const day = 86_400_000;
const moments = [startOfTime, tokenEnd - 1, tokenEnd, lastEnd - 1, lastEnd, startOfTime + 30 * day];

const step = (more: Partial<SessionRecord>, nowMs = startOfTime, allowed = 3) =>
  nextStep(newRecord(startOfTime, more), nowMs, allowed);

describe("the next action of a final session", () => {
  const final: Reason[] = ["ClientDigestMismatch", "VerifyImageHashMismatch", "ClientIpMismatch"];
  const unclear: Reason[] = ["ClientIpMissing", "AbuseDetected", "VerifyResultMissing", "VerifyImageHashMissing"];
  for (const reason of reasonCodes) {
    const nextAction = final.includes(reason) ? "done" : unclear.includes(reason) ? "review" : "newSession";
    test(`not accepted, ${reason} -> ${nextAction}, at any time`, () => {
      for (const decision of ["rejected", "inconclusive"] as const) {
        for (const nowMs of moments) {
          const found = step({ final: true, decision, reasons: [reason], attempts: 1 }, nowMs);
          assert.deepEqual(found, { attemptsLeft: 0, nextAction });
        }
      }
    });
  }

  test("a reason of a later version -> review, also beside a known one, and before the session is final", () => {
    for (const final of [true, false]) {
      for (const reasons of [["SomethingNew"], ["AttemptsFailed", "SomethingNew"]]) {
        assert.equal(step({ final, decision: "inconclusive", reasons, attempts: 1 }).nextAction, "review");
      }
    }
  });

  test("accepted -> done, also without a digest", () => {
    const reasons = ["RealFace", "FaceMatched", "ClientDigestMissing"];
    assert.equal(step({ final: true, decision: "accepted", reasons, attempts: 1 }).nextAction, "done");
  });

  test("no decision -> newSession", () => assert.equal(step({ final: true }).nextAction, "newSession"));
});

describe("the next action of an open session", () => {
  const failedOnce: Partial<SessionRecord> = { decision: "inconclusive", reasons: ["AttemptsFailed"], attempts: 1 };
  const gaveUp: Partial<SessionRecord> = { decision: "inconclusive", reasons: ["ClientError"] };

  test("no attempt has ended -> wait until none can end", () => {
    for (const status of ["NotStarted", "Running"]) {
      const steps = moments.map((nowMs) => step({ status }, nowMs));
      const found = steps.map(({ attemptsLeft, nextAction }) => `${attemptsLeft} ${nextAction}`);
      assert.deepEqual(found, ["3 wait", "3 wait", "0 wait", "0 wait", "0 newSession", "0 newSession"]);
    }
  });

  test("a failed attempt or a client error -> retry until the token's end", () => {
    for (const [record, left] of [
      [failedOnce, 2],
      [gaveUp, 3],
    ] as const) {
      for (const nowMs of moments) {
        const expected = nowMs < tokenEnd ? [left, "retry"] : [0, "newSession"];
        const { attemptsLeft, nextAction } = step(record, nowMs);
        assert.deepEqual([attemptsLeft, nextAction], expected);
      }
    }
  });

  test("as many failed attempts as allowed -> newSession", () => {
    for (const allowed of [1, 2, 3]) {
      for (const ended of [1, 2, 3]) {
        const nextAction = ended < allowed ? "retry" : "newSession";
        const attemptsLeft = Math.max(0, allowed - ended);
        assert.deepEqual(step({ ...failedOnce, attempts: ended }, startOfTime, allowed), { attemptsLeft, nextAction });
      }
    }
  });

  test("revoked, or canceled at the service -> newSession", () => {
    for (const closed of [{ revokedOn: "2026-03-01T12:00:00.000Z" }, { status: "Canceled" }]) {
      for (const record of [{}, failedOnce, gaveUp]) {
        assert.deepEqual(step({ ...record, ...closed }), { attemptsLeft: 0, nextAction: "newSession" });
      }
    }
  });
});

test("every combination of decision, reason, state, attempts and time has a possible next step", () => {
  let checked = 0;
  for (const decision of [undefined, ...decisions])
    for (const reason of decision === undefined ? [undefined] : [...reasonCodes, "SomethingNew"])
      for (const final of [true, false])
        for (const status of ["NotStarted", "Running", "Succeeded", "Failed", "Canceled", "Expired"])
          for (const ended of [0, 1, 2, 3])
            for (const allowed of [1, 2, 3]) {
              const reasons = reason === undefined ? [] : [reason];
              const record = { final, status, attempts: ended, reasons, ...(decision !== undefined && { decision }) };
              const found = moments.map((nowMs) => ({ nowMs, ...step(record, nowMs, allowed) }));
              for (const { nowMs, attemptsLeft, nextAction } of found) {
                const what = JSON.stringify({ ...record, allowed, nowMs, attemptsLeft, nextAction });
                assert.ok(Number.isInteger(attemptsLeft) && attemptsLeft >= 0, what);
                assert.ok(attemptsLeft <= Math.max(0, allowed - ended), what);
                if (final || nowMs >= tokenEnd) assert.equal(attemptsLeft, 0, what);
                if (nextAction === "retry") assert.ok(attemptsLeft > 0 && decision !== undefined, what);
                if (nextAction === "wait") assert.ok(!final && decision === undefined && nowMs < lastEnd, what);
                const isDone = decision === "accepted" || hasIntegrityFailure(reasons);
                assert.equal(nextAction === "done", isDone, what);
              }
              // Time alone turns `wait` and `retry` into `newSession`, and changes no other action.
              const order = found.map(({ nextAction }) => (nextAction === "newSession" ? 1 : 0));
              assert.deepEqual(order, order.toSorted());
              assert.ok(new Set(found.map(({ nextAction }) => nextAction)).size <= 2);
              checked += found.length;
            }
  assert.ok(checked > 10_000);
});

test("a verdict of `decide` that is not final -> retry if it has a decision, wait if not", () => {
  const results = ["realface", "spoofface", "uncertain"].map((livenessDecision) => ({ livenessDecision }));
  const outcomes: AttemptOutcome[] = [failed, ...results];
  const sequences = [[], ...outcomes.map((one) => [one]), ...outcomes.map((one) => [failed, failed, one])];
  for (const sequence of sequences) {
    for (const clientFailed of [true, false]) {
      for (const closed of [true, false]) {
        const { decision, ...verdict } = decide(evidence(attempts(...sequence), { clientFailed, closed }));
        const record = { ...verdict, attempts: sequence.length, ...(decision !== undefined && { decision }) };
        const { nextAction } = step(record);
        if (verdict.final) assert.match(nextAction, /^(newSession|done)$/);
        else assert.equal(nextAction, decision === undefined ? "wait" : "retry");
      }
    }
  }
});
