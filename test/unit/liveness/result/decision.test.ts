import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AttemptResult, maxAttempts } from "../../../../src/face/model.ts";
import { decide, type Verdict } from "../../../../src/liveness/result/decision.ts";
import { type AttemptOutcome, attempts, evidence, failed } from "./evidence.ts";

/** A digest that is not hexadecimal, so its letter case is significant. */
const digest = "q83vEjRWeA==";
const imageHash = "ab".repeat(32);
const otherHash = "cd".repeat(32);

/** The verdict on attempts with these outcomes, in the order of the attempts. */
function verdictOn(outcomes: readonly AttemptOutcome[], more: Parameters<typeof evidence>[1] = {}): Verdict {
  return decide(evidence(attempts(...outcomes), more));
}

/** A real face whose digest equals `confirmed.clientDigest`. */
const real = (more: AttemptResult = {}): AttemptResult => ({ livenessDecision: "realface", digest, ...more });
const confirmed = { clientDigest: digest };
const verified = { ...confirmed, kind: "livenessWithVerify" } as const;
const match = (matchConfidence: number, isIdentical = true) => ({ verifyResult: { matchConfidence, isIdentical } });

const accepted = (...reasons: string[]) => ({ final: true, decision: "accepted", reasons });
const rejected = (...reasons: string[]) => ({ final: true, decision: "rejected", reasons });
const inconclusive = (...reasons: string[]) => ({ final: true, decision: "inconclusive", reasons });

describe("decide for a liveness session", () => {
  for (const [livenessDecision, verdict] of [
    ["realface", accepted("RealFace")],
    ["RealFace", accepted("RealFace")],
    ["REALFACE", accepted("RealFace")],
    ["spoofface", rejected("SpoofDetected")],
    ["SpoofFace", rejected("SpoofDetected")],
    ["uncertain", inconclusive("LivenessUncertain")],
    ["Uncertain", inconclusive("LivenessUncertain")],
    ["certainly", inconclusive("LivenessUncertain")],
    ["", inconclusive("LivenessUncertain")],
    [" realface", inconclusive("LivenessUncertain")],
  ] as const) {
    test(`livenessDecision "${livenessDecision}" -> ${verdict.decision}`, () => {
      assert.deepEqual(verdictOn([real({ livenessDecision })], confirmed), verdict);
    });
  }

  test("no livenessDecision -> inconclusive", () => {
    assert.deepEqual(verdictOn([{ digest }], confirmed), inconclusive("LivenessUncertain"));
  });

  test("verifyResult of a session without verify -> ignored", () => {
    assert.deepEqual(verdictOn([real(match(0, false))], confirmed), accepted("RealFace"));
  });
});

describe("decide for a session with verify", () => {
  for (const [what, result, threshold, verdict] of [
    ["identical, no threshold", match(0.9), 0, accepted("RealFace", "FaceMatched")],
    ["identical, confidence at the threshold", match(0.9), 0.9, accepted("RealFace", "FaceMatched")],
    ["identical, confidence below the threshold", match(0.8999), 0.9, rejected("ConfidenceBelowThreshold")],
    ["identical, confidence and threshold 1", match(1), 1, accepted("RealFace", "FaceMatched")],
    ["not identical", match(0.1, false), 0, rejected("FaceNotMatched")],
    ["not identical, confidence above the threshold", match(0.99, false), 0.5, rejected("FaceNotMatched")],
    ["no verifyResult", {}, 0, inconclusive("VerifyResultMissing")],
  ] as const) {
    test(`${what} -> ${verdict.decision}`, () => {
      assert.deepEqual(verdictOn([real(result)], { ...verified, threshold }), verdict);
    });
  }

  test("match of a face that is not real -> ignored", () => {
    const spoof = { ...match(1), livenessDecision: "spoofface" };
    assert.deepEqual(verdictOn([spoof], verified), rejected("SpoofDetected"));
    assert.deepEqual(
      verdictOn([{ ...spoof, livenessDecision: "uncertain" }], verified),
      inconclusive("LivenessUncertain"),
    );
  });
});

describe("decide for several attempts", () => {
  test("several results -> the latest decides", () => {
    assert.deepEqual(verdictOn([{ livenessDecision: "spoofface" }, real()], confirmed), accepted("RealFace"));
    assert.deepEqual(verdictOn([real(), { livenessDecision: "spoofface" }], confirmed), rejected("SpoofDetected"));
    assert.deepEqual(verdictOn([failed, real(), failed], confirmed), accepted("RealFace"));
  });

  test("fewer than three failed attempts -> inconclusive, not final", () => {
    const verdict = { final: false, decision: "inconclusive", reasons: ["AttemptsFailed"] };
    assert.deepEqual(verdictOn([failed]), verdict);
    assert.deepEqual(verdictOn([failed, failed]), verdict);
  });

  test("three failed attempts, or the token has ended -> inconclusive, final", () => {
    assert.equal(maxAttempts, 3);
    assert.deepEqual(verdictOn([failed, failed, failed]), inconclusive("AttemptsFailed"));
    assert.deepEqual(verdictOn([failed], { closed: true }), inconclusive("AttemptsFailed"));
  });

  test("no attempts -> no decision; token has ended -> SessionUnused", () => {
    assert.deepEqual(verdictOn([]), { final: false, reasons: [] });
    assert.deepEqual(verdictOn([], { closed: true }), inconclusive("SessionUnused"));
  });
});

describe("decide with a client error", () => {
  test("no result -> inconclusive with ClientError; result -> ignored", () => {
    const gaveUp = { clientFailed: true };
    assert.deepEqual(verdictOn([], gaveUp), { final: false, decision: "inconclusive", reasons: ["ClientError"] });
    assert.deepEqual(verdictOn([], { ...gaveUp, closed: true }), inconclusive("ClientError"));
    assert.deepEqual(verdictOn([failed], { ...gaveUp, closed: true }), inconclusive("AttemptsFailed", "ClientError"));
    assert.deepEqual(verdictOn([real()], { ...gaveUp, ...confirmed }), accepted("RealFace"));
  });
});

describe("decide with the digest of the client", () => {
  test("equal digests -> accepted without ClientDigestMissing", () => {
    assert.deepEqual(verdictOn([real()], { clientDigest: digest, digestIsNew: true }), accepted("RealFace"));
    const strict = { requireClientDigest: true };
    assert.deepEqual(verdictOn([real()], { ...strict, clientDigest: digest }), accepted("RealFace"));
  });

  test("no client digest -> ClientDigestMissing, inconclusive if required", () => {
    assert.deepEqual(verdictOn([real()]), accepted("RealFace", "ClientDigestMissing"));
    assert.deepEqual(
      verdictOn([real()], { requireClientDigest: true }),
      inconclusive("RealFace", "ClientDigestMissing"),
    );
    assert.deepEqual(verdictOn([real(match(0.9))], { kind: "livenessWithVerify" }), {
      ...accepted("RealFace", "FaceMatched", "ClientDigestMissing"),
    });
    const spoof = { livenessDecision: "spoofface", digest };
    assert.deepEqual(verdictOn([spoof], { requireClientDigest: true }), rejected("SpoofDetected"));
  });

  test("different digests -> ClientDigestMismatch", () => {
    for (const livenessDecision of ["realface", "spoofface", "uncertain"]) {
      assert.deepEqual(
        verdictOn([real({ livenessDecision })], { clientDigest: "other", digestIsNew: true }),
        rejected("ClientDigestMismatch"),
      );
    }
  });

  test("digests differing in letter case -> equal only if hexadecimal", () => {
    const reported = (clientDigest: string) => ({ clientDigest, digestIsNew: true });
    assert.deepEqual(verdictOn([real({ digest: "ab12" })], reported("AB12")), accepted("RealFace"));
    assert.deepEqual(verdictOn([real()], reported(digest.toLowerCase())), rejected("ClientDigestMismatch"));
  });

  test("digest of an earlier attempt -> ClientDigestMissing", () => {
    const stale = { clientDigest: "earlier", digestIsNew: false };
    assert.deepEqual(verdictOn([real()], stale), accepted("RealFace", "ClientDigestMissing"));
    assert.deepEqual(verdictOn([real()], { ...stale, requireClientDigest: true }).decision, "inconclusive");
  });

  test("service returns no digest -> ClientDigestMissing", () => {
    const reported = { clientDigest: digest, digestIsNew: true };
    assert.deepEqual(
      verdictOn([{ livenessDecision: "realface" }], reported),
      accepted("RealFace", "ClientDigestMissing"),
    );
  });
});

describe("decide with the hash of the verify image", () => {
  const held = { ...verified, referenceImageHash: imageHash };

  test("equal hashes, any letter case -> accepted", () => {
    for (const verifyImageHash of [imageHash, imageHash.toUpperCase()]) {
      const verdict = verdictOn([real({ ...match(0.9), verifyImageHash })], held);
      assert.deepEqual(verdict, accepted("RealFace", "FaceMatched"));
    }
  });

  test("different hash in any attempt -> VerifyImageHashMismatch", () => {
    const swapped = real({ ...match(0.9), verifyImageHash: otherHash });
    const right = real({ ...match(0.9), verifyImageHash: imageHash });
    for (const outcomes of [[swapped], [swapped, right], [right, swapped], [swapped, failed]]) {
      assert.deepEqual(verdictOn(outcomes, held), rejected("VerifyImageHashMismatch"));
    }
  });

  test("missing hash on either side -> accepted", () => {
    const other = real({ ...match(0.9), verifyImageHash: otherHash });
    assert.deepEqual(verdictOn([other], verified), accepted("RealFace", "FaceMatched"));
    assert.deepEqual(verdictOn([real(match(0.9))], held), accepted("RealFace", "FaceMatched"));
  });
});

describe("decide after an earlier mismatch", () => {
  test("no or valid results follow -> rejected with the earlier reason", () => {
    for (const failure of ["ClientDigestMismatch", "VerifyImageHashMismatch"]) {
      const earlier = { ...confirmed, earlierReasons: [failure] };
      assert.deepEqual(verdictOn([real()], earlier), rejected(failure));
      assert.deepEqual(verdictOn([], { ...earlier, closed: true }), rejected(failure));
      assert.deepEqual(verdictOn([], earlier), { ...rejected(failure), final: false });
    }
  });

  test("mismatch of the other kind follows -> rejected with both reasons", () => {
    const evidenceOfBoth = { referenceImageHash: imageHash, earlierReasons: ["ClientDigestMismatch", "RealFace"] };
    const swapped = real({ ...match(0.9), verifyImageHash: otherHash });
    assert.deepEqual(
      verdictOn([swapped], { ...verified, ...evidenceOfBoth }),
      rejected("ClientDigestMismatch", "VerifyImageHashMismatch"),
    );
  });
});
