import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AttemptResult, maxAttempts } from "../../../../src/face/model.ts";
import { decide, type Verdict } from "../../../../src/liveness/result/decision.ts";
import { attempts, type ClientReport, evidence, failed } from "./evidence.ts";

/** A digest that is not in hex: the case of its letters counts. */
const digest = "q83vEjRWeA==";
const imageHash = "ab".repeat(32);
const otherHash = "cd".repeat(32);

/** The verdict on attempts that ended like these, the last one last. */
function verdictOn(told: readonly ClientReport[], more: Parameters<typeof evidence>[1] = {}): Verdict {
  return decide(evidence(attempts(...told), more));
}

/** A real face whose digest the client confirms, so that nothing but the case at hand bears on it. */
const real = (more: AttemptResult = {}): AttemptResult => ({ livenessDecision: "realface", digest, ...more });
const confirmed = { clientDigest: digest };
const verified = { ...confirmed, kind: "livenessWithVerify" } as const;
const match = (matchConfidence: number, isIdentical = true) => ({ verifyResult: { matchConfidence, isIdentical } });

const accepted = (...reasons: string[]) => ({ final: true, decision: "accepted", reasons });
const rejected = (...reasons: string[]) => ({ final: true, decision: "rejected", reasons });
const inconclusive = (...reasons: string[]) => ({ final: true, decision: "inconclusive", reasons });

describe("the decision on a liveness session", () => {
  for (const [word, verdict] of [
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
    test(`is ${verdict.decision} where the service says "${word}"`, () => {
      assert.deepEqual(verdictOn([real({ livenessDecision: word })], confirmed), verdict);
    });
  }

  test("is inconclusive where the service says nothing", () => {
    assert.deepEqual(verdictOn([{ digest }], confirmed), inconclusive("LivenessUncertain"));
  });

  test("does not look at a match that nobody asked for", () => {
    assert.deepEqual(verdictOn([real(match(0, false))], confirmed), accepted("RealFace"));
  });
});

describe("the decision on a session with verify", () => {
  for (const [what, result, threshold, verdict] of [
    ["the same face", match(0.9), 0, accepted("RealFace", "FaceMatched")],
    ["the same face, as surely as asked", match(0.9), 0.9, accepted("RealFace", "FaceMatched")],
    ["the same face, less surely than asked", match(0.8999), 0.9, rejected("ConfidenceBelowThreshold")],
    ["the same face, where certainty is asked", match(1), 1, accepted("RealFace", "FaceMatched")],
    ["another face", match(0.1, false), 0, rejected("FaceNotMatched")],
    ["another face, surely like it", match(0.99, false), 0.5, rejected("FaceNotMatched")],
    ["no comparison", {}, 0, inconclusive("VerifyResultMissing")],
  ] as const) {
    test(`is ${verdict.decision} with ${what}`, () => {
      assert.deepEqual(verdictOn([real(result)], { ...verified, threshold }), verdict);
    });
  }

  test("does not look at the match of a face that is not real", () => {
    const spoof = { ...match(1), livenessDecision: "spoofface" };
    assert.deepEqual(verdictOn([spoof], verified), rejected("SpoofDetected"));
    assert.deepEqual(
      verdictOn([{ ...spoof, livenessDecision: "uncertain" }], verified),
      inconclusive("LivenessUncertain"),
    );
  });
});

describe("the attempt that counts", () => {
  test("is the latest that has a result", () => {
    assert.deepEqual(verdictOn([{ livenessDecision: "spoofface" }, real()], confirmed), accepted("RealFace"));
    assert.deepEqual(verdictOn([real(), { livenessDecision: "spoofface" }], confirmed), rejected("SpoofDetected"));
    assert.deepEqual(verdictOn([failed, real(), failed], confirmed), accepted("RealFace"));
  });

  test("is missing while attempts have only failed, and one may follow", () => {
    const verdict = { final: false, decision: "inconclusive", reasons: ["AttemptsFailed"] };
    assert.deepEqual(verdictOn([failed]), verdict);
    assert.deepEqual(verdictOn([failed, failed]), verdict);
  });

  test("is missing for good after three that failed, or when the time is over", () => {
    assert.equal(maxAttempts, 3);
    assert.deepEqual(verdictOn([failed, failed, failed]), inconclusive("AttemptsFailed"));
    assert.deepEqual(verdictOn([failed], { closed: true }), inconclusive("AttemptsFailed"));
  });

  test("is missing where nobody tried", () => {
    assert.deepEqual(verdictOn([]), { final: false, reasons: [] });
    assert.deepEqual(verdictOn([], { closed: true }), inconclusive("SessionUnused"));
  });
});

describe("a client that could not go on", () => {
  test("is a reason where there is no result, and never a spoof", () => {
    const gaveUp = { clientFailed: true };
    assert.deepEqual(verdictOn([], gaveUp), { final: false, decision: "inconclusive", reasons: ["ClientError"] });
    assert.deepEqual(verdictOn([], { ...gaveUp, closed: true }), inconclusive("ClientError"));
    assert.deepEqual(verdictOn([failed], { ...gaveUp, closed: true }), inconclusive("AttemptsFailed", "ClientError"));
    assert.deepEqual(verdictOn([real()], { ...gaveUp, ...confirmed }), accepted("RealFace"));
  });
});

describe("the client's digest", () => {
  test("confirms an attempt", () => {
    assert.deepEqual(verdictOn([real()], { clientDigest: digest, digestIsNew: true }), accepted("RealFace"));
    const strict = { requireClientDigest: true };
    assert.deepEqual(verdictOn([real()], { ...strict, clientDigest: digest }), accepted("RealFace"));
  });

  test("is missed where it is absent, and nothing is accepted without it where it is required", () => {
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

  test("proves a swap where it is another than the service's", () => {
    for (const livenessDecision of ["realface", "spoofface", "uncertain"]) {
      assert.deepEqual(
        verdictOn([real({ livenessDecision })], { clientDigest: "other", digestIsNew: true }),
        rejected("ClientDigestMismatch"),
      );
    }
  });

  test("is the same in other letters only where it is in hex", () => {
    const told = (clientDigest: string) => ({ clientDigest, digestIsNew: true });
    assert.deepEqual(verdictOn([real({ digest: "ab12" })], told("AB12")), accepted("RealFace"));
    assert.deepEqual(verdictOn([real()], told(digest.toLowerCase())), rejected("ClientDigestMismatch"));
  });

  test("of an earlier attempt proves nothing about a later one, and confirms nothing", () => {
    const stale = { clientDigest: "earlier", digestIsNew: false };
    assert.deepEqual(verdictOn([real()], stale), accepted("RealFace", "ClientDigestMissing"));
    assert.deepEqual(verdictOn([real()], { ...stale, requireClientDigest: true }).decision, "inconclusive");
  });

  test("proves nothing where the service tells none, and confirms nothing", () => {
    const told = { clientDigest: digest, digestIsNew: true };
    assert.deepEqual(verdictOn([{ livenessDecision: "realface" }], told), accepted("RealFace", "ClientDigestMissing"));
  });
});

describe("the verify image's hash", () => {
  const held = { ...verified, referenceImageHash: imageHash };

  test("is the held image's, whatever its case", () => {
    for (const verifyImageHash of [imageHash, imageHash.toUpperCase()]) {
      const verdict = verdictOn([real({ ...match(0.9), verifyImageHash })], held);
      assert.deepEqual(verdict, accepted("RealFace", "FaceMatched"));
    }
  });

  test("proves a swap where it is another, in whichever attempt", () => {
    const swapped = real({ ...match(0.9), verifyImageHash: otherHash });
    const right = real({ ...match(0.9), verifyImageHash: imageHash });
    for (const told of [[swapped], [swapped, right], [right, swapped], [swapped, failed]]) {
      assert.deepEqual(verdictOn(told, held), rejected("VerifyImageHashMismatch"));
    }
  });

  test("proves nothing where either side tells none", () => {
    const told = real({ ...match(0.9), verifyImageHash: otherHash });
    assert.deepEqual(verdictOn([told], verified), accepted("RealFace", "FaceMatched"));
    assert.deepEqual(verdictOn([real(match(0.9))], held), accepted("RealFace", "FaceMatched"));
  });
});

describe("a swap", () => {
  test("stays, whatever comes later", () => {
    for (const failure of ["ClientDigestMismatch", "VerifyImageHashMismatch"]) {
      const earlier = { ...confirmed, earlierReasons: [failure] };
      assert.deepEqual(verdictOn([real()], earlier), rejected(failure));
      assert.deepEqual(verdictOn([], { ...earlier, closed: true }), rejected(failure));
      assert.deepEqual(verdictOn([], earlier), { ...rejected(failure), final: false });
    }
  });

  test("adds to another", () => {
    const evidenceOfBoth = { referenceImageHash: imageHash, earlierReasons: ["ClientDigestMismatch", "RealFace"] };
    const swapped = real({ ...match(0.9), verifyImageHash: otherHash });
    assert.deepEqual(
      verdictOn([swapped], { ...verified, ...evidenceOfBoth }),
      rejected("ClientDigestMismatch", "VerifyImageHashMismatch"),
    );
  });
});
