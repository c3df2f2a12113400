import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, AttemptResult } from "../../../../src/face/model.ts";
import { decide, type Evidence } from "../../../../src/liveness/result/decision.ts";
import { type AttemptOutcome, attempts, evidence, failed } from "./evidence.ts";

/** Limits of attempts, addresses of the device, findings of abuse monitoring. */

type Facts = Pick<Attempt, "clientInformation" | "abuseMonitoringResult">;
type Outcome = AttemptOutcome | readonly [AttemptOutcome, Facts];

const digest = "q83vEjRWeA==";
const real = { livenessDecision: "realface", digest };
const spoof = { livenessDecision: "spoofface" };
const uncertain = { livenessDecision: "uncertain" };
const match = (isIdentical: boolean): AttemptResult => ({ verifyResult: { matchConfidence: 0.9, isIdentical } });
const other = { ...real, ...match(false) };

const from = (...ips: string[]): Facts => ({ clientInformation: ips.map((ip) => ({ ip })) });
const abuse = (isAbuseDetected = true): Facts => ({
  abuseMonitoringResult: { isAbuseDetected, otherFlaggedSessions: [] },
});

/**
 * The verdict on attempts with these outcomes and facts, whose device has sent the digest above: decision and reasons, and
 * `open` if it is not final.
 */
function verdictOn(outcomes: readonly Outcome[], more: Partial<Evidence> = {}): string {
  const pairs = outcomes.map(
    (outcome) => (Array.isArray(outcome) ? outcome : [outcome, {}]) as [AttemptOutcome, Facts],
  );
  const made = attempts(...pairs.map(([outcome]) => outcome));
  const seen = made.map((attempt, index) => ({ ...attempt, ...pairs[index]?.[1] }));
  const { decision, reasons, final } = decide(evidence(seen, { clientDigest: digest, ...more }));
  return [decision, ...reasons, ...(final ? [] : ["open"])].join(" ");
}

describe("decide with a limit of attempts", () => {
  for (const allowed of [1, 2, 3]) {
    test(`${allowed} allowed: final once so many have failed, and not before`, () => {
      for (let made = 1; made <= 3; made += 1) {
        const expected = `inconclusive AttemptsFailed${made < allowed ? " open" : ""}`;
        assert.equal(verdictOn(Array(made).fill(failed), { attemptsAllowed: allowed }), expected);
      }
    });

    test(`${allowed} allowed: the latest of so many results decides, further ones do not`, () => {
      for (const [last, expected] of [
        [real, "accepted RealFace"],
        [spoof, "rejected SpoofDetected"],
        [uncertain, "inconclusive LivenessUncertain"],
        [failed, "inconclusive AttemptsFailed"],
      ] as const) {
        const counted = [...Array(allowed - 1).fill(failed), last];
        for (const further of [[], [real], [spoof], [failed, real], [spoof, uncertain]]) {
          assert.equal(verdictOn([...counted, ...further], { attemptsAllowed: allowed }), expected);
        }
      }
    });
  }

  test("further attempts with every kind of failure -> nothing of them counts", () => {
    const swapped = { ...real, verifyImageHash: "cd".repeat(32) };
    const further = [swapped, { ...from("198.51.100.7"), ...abuse() }] as const;
    const limits = { attemptsAllowed: 1, referenceImageHash: "ab".repeat(32), expectedClientIpAddress: "203.0.113.7" };
    assert.equal(verdictOn([[real, from("203.0.113.7")], further], limits), "accepted RealFace");
  });
});

const verify = { kind: "livenessWithVerify" } as const;
const expected = { expectedClientIpAddress: "203.0.113.0/24" };
const [inside, outside] = [from("203.0.113.24"), from("198.51.100.7")];
const both = from("203.0.113.24", "198.51.100.7");
const mismatched = { ...expected, earlierReasons: ["ClientIpMismatch"] };
const flagged = { earlierReasons: ["RealFace", "AbuseDetected"] };
const at = (outcome: AttemptOutcome, facts: Facts): Outcome => [outcome, facts];

/** Title, outcomes of the attempts with their facts, further evidence, and the verdict. */
type Case = [title: string, outcomes: readonly Outcome[], more: Partial<Evidence>, verdict: string];
const suites: Record<string, Case[]> = {
  "decide with the address of the device": [
    ["inside", [at(real, inside)], expected, "accepted RealFace"],
    ["several inside", [at(real, from("203.0.113.1", "::ffff:203.0.113.2"))], expected, "accepted RealFace"],
    ["any, without an expected address", [at(real, outside)], {}, "accepted RealFace"],
    ["none, without an expected address", [real], {}, "accepted RealFace"],
    ["outside", [at(real, outside)], expected, "rejected ClientIpMismatch"],
    ["outside, spoof", [at(spoof, outside)], expected, "rejected ClientIpMismatch"],
    ["outside, uncertain", [at(uncertain, outside)], expected, "rejected ClientIpMismatch"],
    ["one of several outside", [at(real, both)], expected, "rejected ClientIpMismatch"],
    ["one of several outside, spoof", [at(spoof, both)], expected, "rejected ClientIpMismatch"],
    ["one of several outside, uncertain", [at(uncertain, both)], expected, "rejected ClientIpMismatch"],
    ["outside in an earlier result", [at(real, outside), at(real, inside)], expected, "rejected ClientIpMismatch"],
    ["outside in an earlier failure", [at(failed, outside), at(real, inside)], expected, "accepted RealFace"],
    ["outside in a later failure", [at(real, inside), at(failed, outside)], expected, "accepted RealFace"],
    ["outside in a failure only", [at(failed, outside)], expected, "inconclusive AttemptsFailed open"],
    ["mismatch before, inside now", [at(real, inside)], mismatched, "rejected ClientIpMismatch"],
    ["mismatch before, token has ended", [], { ...mismatched, closed: true }, "rejected ClientIpMismatch"],
    [
      "mismatch before, another digest now",
      [at(real, inside)],
      { ...mismatched, clientDigest: "other", digestIsNew: true },
      "rejected ClientDigestMismatch ClientIpMismatch",
    ],
    ["none in an earlier result", [real, at(real, inside)], expected, "accepted RealFace"],
    ...Object.entries({
      "no address": from("203.0.113.24:443"),
      "no address beside an expected one": from("203.0.113.24", "unknown"),
      "no information": {},
      "an empty list": { clientInformation: [] },
    }).flatMap(([what, facts]): Case[] => [
      [`${what}, real face`, [at(real, facts)], expected, "inconclusive ClientIpMissing"],
      [`${what}, after an address`, [at(real, inside), at(real, facts)], expected, "inconclusive ClientIpMissing"],
      [`${what}, after a failure`, [at(failed, inside), at(real, facts)], expected, "inconclusive ClientIpMissing"],
      [`${what}, spoof`, [at(spoof, facts)], expected, "rejected SpoofDetected"],
      [`${what}, another face`, [at(other, facts)], { ...expected, ...verify }, "rejected FaceNotMatched"],
    ]),
  ],
  "decide with a finding of abuse monitoring": [
    ["no abuse", [at(real, abuse(false))], {}, "accepted RealFace"],
    ["no abuse, spoof", [at(spoof, abuse(false))], {}, "rejected SpoofDetected"],
    ["abuse", [at(real, abuse())], {}, "inconclusive RealFace AbuseDetected"],
    [
      "abuse, match",
      [at({ ...real, ...match(true) }, abuse())],
      verify,
      "inconclusive RealFace FaceMatched AbuseDetected",
    ],
    ["abuse, spoof", [at(spoof, abuse())], {}, "rejected SpoofDetected AbuseDetected"],
    ["abuse, another face", [at(other, abuse())], verify, "rejected FaceNotMatched AbuseDetected"],
    ["abuse, uncertain", [at(uncertain, abuse())], {}, "inconclusive LivenessUncertain AbuseDetected"],
    ["abuse, failure", [at(failed, abuse())], {}, "inconclusive AttemptsFailed AbuseDetected open"],
    [
      "abuse in an earlier failure",
      [at(failed, abuse()), at(real, abuse(false))],
      {},
      "inconclusive RealFace AbuseDetected",
    ],
    ["abuse in an earlier result", [at(spoof, abuse()), real], {}, "inconclusive RealFace AbuseDetected"],
    [
      "abuse in a later failure",
      [at(real, abuse(false)), at(failed, abuse())],
      {},
      "inconclusive RealFace AbuseDetected",
    ],
    [
      "abuse from another address",
      [at(real, { ...outside, ...abuse() })],
      expected,
      "rejected ClientIpMismatch AbuseDetected",
    ],
    ["abuse before, none returned", [real], flagged, "inconclusive RealFace AbuseDetected"],
    ["abuse before, spoof now", [spoof], flagged, "rejected SpoofDetected AbuseDetected"],
    ["abuse before and now", [at(real, abuse())], flagged, "inconclusive RealFace AbuseDetected"],
  ],
};
for (const [suite, cases] of Object.entries(suites)) {
  describe(suite, () => {
    for (const [title, outcomes, more, verdict] of cases) {
      test(`${title} -> ${verdict}`, () => assert.equal(verdictOn(outcomes, more), verdict));
    }
  });
}
