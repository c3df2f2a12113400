import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, AttemptResult } from "../../../../src/face/model.ts";
import { decide, type Evidence } from "../../../../src/liveness/result/decision.ts";
import { type AttemptOutcome, attempts, evidence, failed } from "./evidence.ts";

/** A digest that is not hexadecimal, so its letter case is significant. */
const digest = "q83vEjRWeA==";
const imageHash = "ab".repeat(32);
const otherHash = "cd".repeat(32);

/** A real face whose digest equals `confirmed.clientDigest`. */
const real = (more: AttemptResult = {}): AttemptResult => ({ livenessDecision: "realface", digest, ...more });
const spoof = { livenessDecision: "spoofface", digest };
const decided = (livenessDecision: string) => [real({ livenessDecision })];
const match = (matchConfidence: number, isIdentical = true) => ({ verifyResult: { matchConfidence, isIdentical } });
const matched = (more: AttemptResult = {}) => real({ ...match(0.9), ...more });

const confirmed = { clientDigest: digest };
const unconfirmed = { kind: "livenessWithVerify" } as const;
const verified = { ...confirmed, ...unconfirmed };
const atLeast = (threshold: number) => ({ ...verified, threshold });
const reported = (clientDigest: string) => ({ clientDigest, digestIsNew: true });
const stale = { clientDigest: "earlier", digestIsNew: false };
const required = { requireClientDigest: true };
const closed = { closed: true };
const gaveUp = { clientFailed: true };
const held = { ...verified, referenceImageHash: imageHash };
const swapped = matched({ verifyImageHash: otherHash });
const same = matched({ verifyImageHash: imageHash });
const earlier = (...earlierReasons: string[]) => ({ ...confirmed, earlierReasons });
const bothMismatches = { ...held, earlierReasons: ["ClientDigestMismatch", "RealFace"] };

/** What the service knows of an attempt besides its outcome. */
type Facts = Pick<Attempt, "clientInformation" | "abuseMonitoringResult">;
type Made = AttemptOutcome | readonly [AttemptOutcome, Facts];
const at = (outcome: AttemptOutcome, facts: Facts): Made => [outcome, facts];
const from = (...ips: string[]): Facts => ({ clientInformation: ips.map((ip) => ({ ip })) });
const [inside, outside, both] = [from("203.0.113.24"), from("198.51.100.7"), from("203.0.113.24", "198.51.100.7")];
const [abuse, none] = [true, false].map(
  (isAbuseDetected): Facts => ({ abuseMonitoringResult: { isAbuseDetected, otherFlaggedSessions: [] } }),
) as [Facts, Facts];
const uncertain = real({ livenessDecision: "uncertain" });
const other = real(match(0.9, false));
const expected = { ...confirmed, expectedClientIpAddress: "203.0.113.0/24" };
const mismatched = { ...expected, earlierReasons: ["ClientIpMismatch"] };
const swappedToo = { ...mismatched, ...reported("other") };
const flagged = earlier("RealFace", "AbuseDetected");

/** Decision and reasons on attempts with these outcomes and facts, and `open` if the verdict is not final. */
function verdictOn(made: readonly Made[], more: Partial<Evidence>): string {
  const pairs = made.map((one) => (Array.isArray(one) ? one : [one, {}]) as [AttemptOutcome, Facts]);
  const seen = attempts(...pairs.map(([outcome]) => outcome)).map((attempt, index) => ({
    ...attempt,
    ...pairs[index]?.[1],
  }));
  const { decision, reasons, final } = decide(evidence(seen, more));
  return [decision ?? "undefined", ...reasons, ...(final ? [] : ["open"])].join(" ");
}

/** Title, outcomes of the attempts in their order, further evidence, and the verdict. */
type Case = [title: string, made: readonly Made[], more: Partial<Evidence>, verdict: string];
const suites: Record<string, Case[]> = {
  "decide for a liveness session": [
    ["realface", decided("realface"), confirmed, "accepted RealFace"],
    ["RealFace", decided("RealFace"), confirmed, "accepted RealFace"],
    ["REALFACE", decided("REALFACE"), confirmed, "accepted RealFace"],
    ["spoofface", decided("spoofface"), confirmed, "rejected SpoofDetected"],
    ["SpoofFace", decided("SpoofFace"), confirmed, "rejected SpoofDetected"],
    ["uncertain", decided("uncertain"), confirmed, "inconclusive LivenessUncertain"],
    ["Uncertain", decided("Uncertain"), confirmed, "inconclusive LivenessUncertain"],
    ["another word", decided("certainly"), confirmed, "inconclusive LivenessUncertain"],
    ["an empty word", decided(""), confirmed, "inconclusive LivenessUncertain"],
    ["a word with a space", decided(" realface"), confirmed, "inconclusive LivenessUncertain"],
    ["no livenessDecision", [{ digest }], confirmed, "inconclusive LivenessUncertain"],
    ["verifyResult of a session without verify", [real(match(0, false))], confirmed, "accepted RealFace"],
  ],
  "decide for a session with verify": [
    ["identical, no threshold", [matched()], verified, "accepted RealFace FaceMatched"],
    ["confidence at the threshold", [matched()], atLeast(0.9), "accepted RealFace FaceMatched"],
    ["confidence below the threshold", [real(match(0.8999))], atLeast(0.9), "rejected ConfidenceBelowThreshold"],
    ["confidence and threshold 1", [real(match(1))], atLeast(1), "accepted RealFace FaceMatched"],
    ["not identical", [real(match(0.1, false))], verified, "rejected FaceNotMatched"],
    ["not identical, above the threshold", [real(match(0.99, false))], atLeast(0.5), "rejected FaceNotMatched"],
    ["no verifyResult", [real()], verified, "inconclusive VerifyResultMissing"],
    ["match of a spoof", [{ ...match(1), ...spoof }], verified, "rejected SpoofDetected"],
    ["match of an uncertain face", [{ ...match(1), ...uncertain }], verified, "inconclusive LivenessUncertain"],
  ],
  "decide for several attempts": [
    ["a spoof, then a real face", [spoof, real()], confirmed, "accepted RealFace"],
    ["a real face, then a spoof", [real(), spoof], confirmed, "rejected SpoofDetected"],
    ["a real face between failures", [failed, real(), failed], confirmed, "accepted RealFace"],
    ["one failed attempt", [failed], {}, "inconclusive AttemptsFailed open"],
    ["two failed attempts", [failed, failed], {}, "inconclusive AttemptsFailed open"],
    ["three failed attempts", [failed, failed, failed], {}, "inconclusive AttemptsFailed"],
    ["a failed attempt, token has ended", [failed], closed, "inconclusive AttemptsFailed"],
    ["no attempts", [], {}, "undefined open"],
    ["no attempts, token has ended", [], closed, "inconclusive SessionUnused"],
  ],
  "decide with a client error": [
    ["no attempts", [], gaveUp, "inconclusive ClientError open"],
    ["no attempts, token has ended", [], { ...gaveUp, ...closed }, "inconclusive ClientError"],
    ["a failed attempt", [failed], { ...gaveUp, ...closed }, "inconclusive AttemptsFailed ClientError"],
    ["a result", [real()], { ...gaveUp, ...confirmed }, "accepted RealFace"],
  ],
  "decide with the digest of the client": [
    ["equal digests", [real()], reported(digest), "accepted RealFace"],
    ["equal digests, required", [real()], { ...required, ...confirmed }, "accepted RealFace"],
    ["no client digest", [real()], {}, "accepted RealFace ClientDigestMissing"],
    ["no client digest, required", [real()], required, "inconclusive RealFace ClientDigestMissing"],
    ["no client digest, with verify", [matched()], unconfirmed, "accepted RealFace FaceMatched ClientDigestMissing"],
    ["no client digest of a spoof, required", [spoof], required, "rejected SpoofDetected"],
    ["different digests, a real face", [real()], reported("other"), "rejected ClientDigestMismatch"],
    ["different digests, a spoof", [spoof], reported("other"), "rejected ClientDigestMismatch"],
    ["different digests, uncertain", decided("uncertain"), reported("other"), "rejected ClientDigestMismatch"],
    ["hexadecimal digests in different case", [real({ digest: "ab12" })], reported("AB12"), "accepted RealFace"],
    ["other digests in different case", [real()], reported(digest.toLowerCase()), "rejected ClientDigestMismatch"],
    ["digest of an earlier attempt", [real()], stale, "accepted RealFace ClientDigestMissing"],
    ["earlier digest, required", [real()], { ...stale, ...required }, "inconclusive RealFace ClientDigestMissing"],
    [
      "no service digest",
      [{ livenessDecision: "realface" }],
      reported(digest),
      "accepted RealFace ClientDigestMissing",
    ],
  ],
  "decide with the hash of the verify image": [
    ["equal hashes", [same], held, "accepted RealFace FaceMatched"],
    ["other case", [matched({ verifyImageHash: imageHash.toUpperCase() })], held, "accepted RealFace FaceMatched"],
    ["different hash", [swapped], held, "rejected VerifyImageHashMismatch"],
    ["different hash before", [swapped, same], held, "rejected VerifyImageHashMismatch"],
    ["different hash later", [same, swapped], held, "rejected VerifyImageHashMismatch"],
    ["different hash before a failure", [swapped, failed], held, "rejected VerifyImageHashMismatch"],
    ["no hash of the stored image", [swapped], verified, "accepted RealFace FaceMatched"],
    ["no hash from the service", [matched()], held, "accepted RealFace FaceMatched"],
  ],
  "decide after an earlier mismatch": [
    ...["ClientDigestMismatch", "VerifyImageHashMismatch"].flatMap((reason): Case[] => [
      [`${reason}, a real face`, [real()], earlier(reason), `rejected ${reason}`],
      [`${reason}, token has ended`, [], { ...earlier(reason), ...closed }, `rejected ${reason}`],
      [`${reason}, no attempts`, [], earlier(reason), `rejected ${reason} open`],
    ]),
    ["the other mismatch follows", [swapped], bothMismatches, "rejected ClientDigestMismatch VerifyImageHashMismatch"],
  ],
  "decide with the address of the device": [
    ["inside", [at(real(), inside)], expected, "accepted RealFace"],
    ["several inside", [at(real(), from("203.0.113.1", "::ffff:203.0.113.2"))], expected, "accepted RealFace"],
    ["any, without an expected address", [at(real(), outside)], confirmed, "accepted RealFace"],
    ["none, without an expected address", [real()], confirmed, "accepted RealFace"],
    ["outside", [at(real(), outside)], expected, "rejected ClientIpMismatch"],
    ["outside, spoof", [at(spoof, outside)], expected, "rejected ClientIpMismatch"],
    ["outside, uncertain", [at(uncertain, outside)], expected, "rejected ClientIpMismatch"],
    ["one of several outside", [at(real(), both)], expected, "rejected ClientIpMismatch"],
    ["one of several outside, spoof", [at(spoof, both)], expected, "rejected ClientIpMismatch"],
    ["one of several outside, uncertain", [at(uncertain, both)], expected, "rejected ClientIpMismatch"],
    ["outside in an earlier result", [at(real(), outside), at(real(), inside)], expected, "rejected ClientIpMismatch"],
    ["outside in an earlier failure", [at(failed, outside), at(real(), inside)], expected, "accepted RealFace"],
    ["outside in a later failure", [at(real(), inside), at(failed, outside)], expected, "accepted RealFace"],
    ["outside in a failure only", [at(failed, outside)], expected, "inconclusive AttemptsFailed open"],
    ["mismatch before, inside now", [at(real(), inside)], mismatched, "rejected ClientIpMismatch"],
    ["mismatch before, token has ended", [], { ...mismatched, closed: true }, "rejected ClientIpMismatch"],
    [
      "mismatch before, other digest",
      [at(real(), inside)],
      swappedToo,
      "rejected ClientDigestMismatch ClientIpMismatch",
    ],
    ["none in an earlier result", [real(), at(real(), inside)], expected, "accepted RealFace"],
    ...Object.entries({
      "no address": from("203.0.113.24:443"),
      "no address beside an expected one": from("203.0.113.24", "unknown"),
      "no information": {},
      "an empty list": { clientInformation: [] },
    }).flatMap(([what, facts]): Case[] => [
      [`${what}, real face`, [at(real(), facts)], expected, "inconclusive ClientIpMissing"],
      [`${what}, after an address`, [at(real(), inside), at(real(), facts)], expected, "inconclusive ClientIpMissing"],
      [`${what}, after a failure`, [at(failed, inside), at(real(), facts)], expected, "inconclusive ClientIpMissing"],
      [`${what}, spoof`, [at(spoof, facts)], expected, "rejected SpoofDetected"],
      [`${what}, another face`, [at(other, facts)], { ...expected, ...verified }, "rejected FaceNotMatched"],
    ]),
  ],
  "decide with a finding of abuse monitoring": [
    ["no abuse", [at(real(), none)], confirmed, "accepted RealFace"],
    ["no abuse, spoof", [at(spoof, none)], confirmed, "rejected SpoofDetected"],
    ["abuse", [at(real(), abuse)], confirmed, "inconclusive RealFace AbuseDetected"],
    ["abuse, match", [at(matched(), abuse)], verified, "inconclusive RealFace FaceMatched AbuseDetected"],
    ["abuse, spoof", [at(spoof, abuse)], confirmed, "rejected SpoofDetected AbuseDetected"],
    ["abuse, another face", [at(other, abuse)], verified, "rejected FaceNotMatched AbuseDetected"],
    ["abuse, uncertain", [at(uncertain, abuse)], confirmed, "inconclusive LivenessUncertain AbuseDetected"],
    ["abuse, failure", [at(failed, abuse)], confirmed, "inconclusive AttemptsFailed AbuseDetected open"],
    [
      "abuse in a failure first",
      [at(failed, abuse), at(real(), none)],
      confirmed,
      "inconclusive RealFace AbuseDetected",
    ],
    ["abuse in an earlier result", [at(spoof, abuse), real()], confirmed, "inconclusive RealFace AbuseDetected"],
    ["abuse in later failure", [at(real(), none), at(failed, abuse)], confirmed, "inconclusive RealFace AbuseDetected"],
    [
      "abuse from elsewhere",
      [at(real(), { ...outside, ...abuse })],
      expected,
      "rejected ClientIpMismatch AbuseDetected",
    ],
    ["abuse before, none returned", [real()], flagged, "inconclusive RealFace AbuseDetected"],
    ["abuse before, spoof now", [spoof], flagged, "rejected SpoofDetected AbuseDetected"],
    ["abuse before and now", [at(real(), abuse)], flagged, "inconclusive RealFace AbuseDetected"],
  ],
};

for (const [suite, cases] of Object.entries(suites)) {
  describe(suite, () => {
    for (const [title, made, more, verdict] of cases) {
      test(`${title} -> ${verdict}`, () => assert.equal(verdictOn(made, more), verdict));
    }
  });
}

describe("decide with a limit of attempts", () => {
  for (const allowed of [1, 2, 3]) {
    test(`${allowed} allowed: final once so many have failed, and not before`, () => {
      for (let made = 1; made <= 3; made += 1) {
        const expected = `inconclusive AttemptsFailed${made < allowed ? " open" : ""}`;
        assert.equal(verdictOn(Array(made).fill(failed), { ...confirmed, attemptsAllowed: allowed }), expected);
      }
    });

    test(`${allowed} allowed: the latest of so many results decides, further ones do not`, () => {
      for (const [last, expected] of [
        [real(), "accepted RealFace"],
        [spoof, "rejected SpoofDetected"],
        [uncertain, "inconclusive LivenessUncertain"],
        [failed, "inconclusive AttemptsFailed"],
      ] as const) {
        const counted = [...Array(allowed - 1).fill(failed), last];
        for (const further of [[], [real()], [spoof], [failed, real()], [spoof, uncertain]]) {
          assert.equal(verdictOn([...counted, ...further], { ...confirmed, attemptsAllowed: allowed }), expected);
        }
      }
    });
  }

  test("further attempts with every kind of failure -> nothing of them counts", () => {
    const further = at(real({ verifyImageHash: otherHash }), { ...outside, ...abuse });
    const limits = { ...expected, attemptsAllowed: 1, referenceImageHash: imageHash };
    assert.equal(verdictOn([at(real(), inside), further], limits), "accepted RealFace");
  });
});
