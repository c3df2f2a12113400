import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AttemptResult } from "../../../../src/face/model.ts";
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
const verified = { ...confirmed, kind: "livenessWithVerify" } as const;
const reported = (clientDigest: string) => ({ clientDigest, digestIsNew: true });
const stale = { clientDigest: "earlier", digestIsNew: false };
const required = { requireClientDigest: true };
const closed = { closed: true };
const gaveUp = { clientFailed: true };
const held = { ...verified, referenceImageHash: imageHash };
const swapped = matched({ verifyImageHash: otherHash });
const earlier = (...earlierReasons: string[]) => ({ ...confirmed, earlierReasons });
const bothMismatches = { ...held, earlierReasons: ["ClientDigestMismatch", "RealFace"] };

/** Title, outcomes of the attempts in their order, further evidence, and the decision with its reasons. */
type Case = [title: string, outcomes: readonly AttemptOutcome[], more: Partial<Evidence>, verdict: string];
/** Verdicts are final unless they end with `open`. */
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
    ["confidence at the threshold", [matched()], { ...verified, threshold: 0.9 }, "accepted RealFace FaceMatched"],
    [
      "confidence below the threshold",
      [real(match(0.8999))],
      { ...verified, threshold: 0.9 },
      "rejected ConfidenceBelowThreshold",
    ],
    ["confidence and threshold 1", [real(match(1))], { ...verified, threshold: 1 }, "accepted RealFace FaceMatched"],
    ["not identical", [real(match(0.1, false))], verified, "rejected FaceNotMatched"],
    [
      "not identical, confidence above the threshold",
      [real(match(0.99, false))],
      { ...verified, threshold: 0.5 },
      "rejected FaceNotMatched",
    ],
    ["no verifyResult", [real()], verified, "inconclusive VerifyResultMissing"],
    ["match of a spoof", [{ ...match(1), ...spoof }], verified, "rejected SpoofDetected"],
    [
      "match of an uncertain face",
      [real({ ...match(1), livenessDecision: "uncertain" })],
      verified,
      "inconclusive LivenessUncertain",
    ],
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
    [
      "no client digest, with verify",
      [matched()],
      { kind: "livenessWithVerify" },
      "accepted RealFace FaceMatched ClientDigestMissing",
    ],
    ["no client digest of a spoof, required", [spoof], required, "rejected SpoofDetected"],
    ["different digests, a real face", [real()], reported("other"), "rejected ClientDigestMismatch"],
    ["different digests, a spoof", [spoof], reported("other"), "rejected ClientDigestMismatch"],
    ["different digests, uncertain", decided("uncertain"), reported("other"), "rejected ClientDigestMismatch"],
    ["hexadecimal digests in different case", [real({ digest: "ab12" })], reported("AB12"), "accepted RealFace"],
    ["other digests in different case", [real()], reported(digest.toLowerCase()), "rejected ClientDigestMismatch"],
    ["digest of an earlier attempt", [real()], stale, "accepted RealFace ClientDigestMissing"],
    [
      "digest of an earlier attempt, required",
      [real()],
      { ...stale, ...required },
      "inconclusive RealFace ClientDigestMissing",
    ],
    [
      "service returns no digest",
      [{ livenessDecision: "realface" }],
      reported(digest),
      "accepted RealFace ClientDigestMissing",
    ],
  ],
  "decide with the hash of the verify image": [
    ["equal hashes", [matched({ verifyImageHash: imageHash })], held, "accepted RealFace FaceMatched"],
    ["other case", [matched({ verifyImageHash: imageHash.toUpperCase() })], held, "accepted RealFace FaceMatched"],
    ["different hash", [swapped], held, "rejected VerifyImageHashMismatch"],
    [
      "different hash in an earlier attempt",
      [swapped, matched({ verifyImageHash: imageHash })],
      held,
      "rejected VerifyImageHashMismatch",
    ],
    [
      "different hash in a later attempt",
      [matched({ verifyImageHash: imageHash }), swapped],
      held,
      "rejected VerifyImageHashMismatch",
    ],
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
    [
      "mismatch of the other kind follows",
      [swapped],
      bothMismatches,
      "rejected ClientDigestMismatch VerifyImageHashMismatch",
    ],
  ],
};

for (const [suite, cases] of Object.entries(suites)) {
  describe(suite, () => {
    for (const [title, outcomes, more, expected] of cases) {
      test(`${title} -> ${expected}`, () => {
        const { final, decision, reasons } = decide(evidence(attempts(...outcomes), more));
        assert.equal([decision ?? "undefined", ...reasons, ...(final ? [] : ["open"])].join(" "), expected);
      });
    }
  });
}
