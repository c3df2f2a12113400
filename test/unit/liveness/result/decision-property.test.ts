import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Attempt, AttemptResult } from "../../../../src/face/model.ts";
import { decide, type Evidence, reasonCodes } from "../../../../src/liveness/result/decision.ts";
import { attempts, evidence, failed } from "./evidence.ts";

const livenessDecision = fc.constantFrom("realface", "RealFace", "spoofface", "uncertain", "brandNew");
const hash = fc.constantFrom("aa", "AA", "bb");
const digest = fc.constantFrom("d1", "d2");
const noNulls = { noNullPrototype: true };

const result: fc.Arbitrary<AttemptResult> = fc.record(
  {
    livenessDecision,
    digest,
    verifyImageHash: hash,
    verifyResult: fc.record({ matchConfidence: fc.double({ min: 0, max: 1, noNaN: true }), isIdentical: fc.boolean() }),
  },
  { requiredKeys: [], ...noNulls },
);

const facts: fc.Arbitrary<Pick<Attempt, "clientInformation" | "abuseMonitoringResult">> = fc.record(
  {
    clientInformation: fc.array(fc.constantFrom({ ip: "203.0.113.24" }, { ip: "198.51.100.7" }), { maxLength: 2 }),
    abuseMonitoringResult: fc.record({
      isAbuseDetected: fc.boolean(),
      otherFlaggedSessions: fc.constant([]),
    }),
  },
  { requiredKeys: [], ...noNulls },
);

const anyEvidence: fc.Arbitrary<Evidence> = fc
  .record(
    {
      outcomes: fc.array(fc.tuple(fc.oneof(result, fc.constant(failed)), facts), { maxLength: 5 }),
      attemptsAllowed: fc.integer({ min: 1, max: 3 }),
      expectedClientIpAddress: fc.constant("203.0.113.0/24"),
      kind: fc.constantFrom("liveness", "livenessWithVerify"),
      threshold: fc.double({ min: 0, max: 1, noNaN: true }),
      referenceImageHash: hash,
      clientDigest: digest,
      digestIsNew: fc.boolean(),
      requireClientDigest: fc.boolean(),
      clientFailed: fc.boolean(),
      closed: fc.boolean(),
      earlierReasons: fc.subarray([...reasonCodes], { maxLength: 3 }),
    },
    { requiredKeys: ["outcomes"], ...noNulls },
  )
  .map(({ outcomes, ...more }) => {
    const made = attempts(...outcomes.map(([outcome]) => outcome));
    return evidence(
      made.map((attempt, index) => ({ ...attempt, ...outcomes[index]?.[1] })),
      more,
    );
  });

const swaps = ["ClientDigestMismatch", "VerifyImageHashMismatch", "ClientIpMismatch"];
const isSwap = (reason: string) => swaps.includes(reason);
const countedOf = (seen: Evidence) => seen.attempts.filter((_, index) => index < (seen.attemptsAllowed ?? 5));

/** Tests a property of any evidence. */
function property(title: string, check: (seen: Evidence) => void): void {
  test(title, () => fc.assert(fc.property(anyEvidence, check), { numRuns: 1000 }));
}

property("decide with a mismatch, now or earlier -> rejected, and the reason is kept", (seen) => {
  const { decision, reasons } = decide(seen);
  const isBroken = [...reasons, ...seen.earlierReasons].some(isSwap);
  if (isBroken) assert.equal(decision, "rejected");
  for (const earlier of seen.earlierReasons.filter(isSwap)) assert.ok(reasons.includes(earlier));
});

property("decide -> accepts only a real face, and with verify only a match above the threshold", (seen) => {
  if (decide(seen).decision !== "accepted") return;
  const counted = countedOf(seen);
  assert.ok(!counted.some(({ abuseMonitoringResult }) => abuseMonitoringResult?.isAbuseDetected));
  const answered = counted.filter((attempt) => attempt.result !== undefined);
  if (seen.expectedClientIpAddress !== undefined) {
    assert.ok(answered.at(-1)?.clientInformation?.length);
    const addresses = answered.flatMap(({ clientInformation = [] }) => clientInformation);
    assert.ok(addresses.every(({ ip }) => ip === "203.0.113.24"));
  }
  const latest = answered.at(-1)?.result;
  assert.equal(latest?.livenessDecision?.toLowerCase(), "realface");
  if (seen.requireClientDigest) assert.equal(seen.clientDigest, latest?.digest);
  if (seen.kind === "liveness") return;
  assert.equal(latest?.verifyResult?.isIdentical, true);
  assert.ok((latest?.verifyResult?.matchConfidence ?? 0) >= seen.threshold);
});

property("decide with a finding of abuse, now or earlier -> not accepted, and the reason is kept", (seen) => {
  const { decision, reasons } = decide(seen);
  const isFlagged =
    seen.earlierReasons.includes("AbuseDetected") ||
    countedOf(seen).some(({ abuseMonitoringResult }) => abuseMonitoringResult?.isAbuseDetected);
  assert.equal(reasons.includes("AbuseDetected"), isFlagged && decision !== undefined);
  if (isFlagged) assert.notEqual(decision, "accepted");
});

property("decide -> attempts beyond the limit change nothing", (seen) => {
  assert.deepEqual(decide(seen), decide({ ...seen, attempts: countedOf(seen) }));
});

property("decide -> known reasons exactly if there is a decision", (seen) => {
  const { decision, reasons, final } = decide(seen);
  assert.equal(reasons.length > 0, decision !== undefined);
  assert.equal(new Set(reasons).size, reasons.length);
  const known: readonly string[] = reasonCodes;
  assert.ok(reasons.every((reason) => known.includes(reason)));
  if (final) assert.notEqual(decision, undefined);
});

property("decide repeated, also with its own reasons as earlier ones -> same verdict", (seen) => {
  const verdict = decide(seen);
  assert.deepEqual(decide(structuredClone(seen)), verdict);
  assert.deepEqual(decide({ ...seen, earlierReasons: verdict.reasons }), verdict);
});
