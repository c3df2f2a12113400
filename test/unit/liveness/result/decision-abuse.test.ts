import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, AttemptResult } from "../../../../src/face/model.ts";
import { decide } from "../../../../src/liveness/result/decision.ts";
import { type AttemptOutcome, attempts, evidence, failed } from "./evidence.ts";

/** Limits of attempts, addresses of the device, findings of abuse monitoring. */

type Facts = Pick<Attempt, "clientInformation" | "abuseMonitoringResult">;

const digest = "q83vEjRWeA==";
const real = { livenessDecision: "realface", digest };
const spoof = { livenessDecision: "spoofface" };
const uncertain = { livenessDecision: "uncertain" };
const match = (isIdentical: boolean): AttemptResult => ({ verifyResult: { matchConfidence: 0.9, isIdentical } });

const from = (...ips: string[]): Facts => ({ clientInformation: ips.map((ip) => ({ ip })) });
const abuse = (isAbuseDetected = true): Facts => ({
  abuseMonitoringResult: { isAbuseDetected, otherFlaggedSessions: [] },
});

/** The verdict on attempts with these outcomes and facts, whose device has sent the digest above. */
function verdictOn(
  outcomes: readonly (AttemptOutcome | readonly [AttemptOutcome, Facts])[],
  more: Parameters<typeof evidence>[1] = {},
) {
  const pairs = outcomes.map(
    (outcome) => (Array.isArray(outcome) ? outcome : [outcome, {}]) as [AttemptOutcome, Facts],
  );
  const made = attempts(...pairs.map(([outcome]) => outcome));
  const seen = made.map((attempt, index) => ({ ...attempt, ...pairs[index]?.[1] }));
  const { decision, reasons, final } = decide(evidence(seen, { clientDigest: digest, ...more }));
  return [decision, ...reasons, ...(final ? [] : ["(open)"])];
}

describe("decide with a limit of attempts", () => {
  for (const allowed of [1, 2, 3]) {
    test(`${allowed} allowed: final once so many have failed, and not before`, () => {
      for (let made = 1; made <= 3; made += 1) {
        const verdict = ["inconclusive", "AttemptsFailed", ...(made < allowed ? ["(open)"] : [])];
        assert.deepEqual(verdictOn(Array(made).fill(failed), { attemptsAllowed: allowed }), verdict);
      }
    });

    test(`${allowed} allowed: the latest of so many results decides, further ones do not`, () => {
      for (const [last, decision] of [
        [real, ["accepted", "RealFace"]],
        [spoof, ["rejected", "SpoofDetected"]],
        [uncertain, ["inconclusive", "LivenessUncertain"]],
        [failed, ["inconclusive", "AttemptsFailed"]],
      ] as const) {
        const counted = [...Array(allowed - 1).fill(failed), last];
        for (const further of [[], [real], [spoof], [failed, real], [spoof, uncertain]]) {
          assert.deepEqual(verdictOn([...counted, ...further], { attemptsAllowed: allowed }), decision);
        }
      }
    });
  }

  test("further attempts with every kind of failure -> nothing of them counts", () => {
    const swapped = { ...real, verifyImageHash: "cd".repeat(32) };
    const further = [[swapped, { ...from("198.51.100.7"), ...abuse() }]] as const;
    const limits = { attemptsAllowed: 1, referenceImageHash: "ab".repeat(32), expectedClientIpAddress: "203.0.113.7" };
    assert.deepEqual(verdictOn([[real, from("203.0.113.7")], ...further], limits), ["accepted", "RealFace"]);
  });
});

describe("decide with the address of the device", () => {
  const expected = { expectedClientIpAddress: "203.0.113.0/24" };
  const [inside, outside] = [from("203.0.113.24"), from("198.51.100.7")];

  test("inside -> accepted; without an expected address, any", () => {
    assert.deepEqual(verdictOn([[real, inside]], expected), ["accepted", "RealFace"]);
    assert.deepEqual(verdictOn([[real, from("203.0.113.1", "::ffff:203.0.113.2")]], expected), [
      "accepted",
      "RealFace",
    ]);
    assert.deepEqual(verdictOn([[real, outside]]), ["accepted", "RealFace"]);
    assert.deepEqual(verdictOn([real]), ["accepted", "RealFace"]);
  });

  test("outside, also one of several -> rejected, whatever the result is", () => {
    for (const facts of [outside, from("203.0.113.24", "198.51.100.7")]) {
      for (const result of [real, spoof, uncertain])
        assert.deepEqual(verdictOn([[result, facts]], expected), ["rejected", "ClientIpMismatch"]);
    }
  });

  test("in any attempt with a result -> rejected; a failed attempt proves nothing", () => {
    assert.deepEqual(
      verdictOn(
        [
          [real, outside],
          [real, inside],
        ],
        expected,
      ),
      ["rejected", "ClientIpMismatch"],
    );
    assert.deepEqual(
      verdictOn(
        [
          [failed, outside],
          [real, inside],
        ],
        expected,
      ),
      ["accepted", "RealFace"],
    );
    assert.deepEqual(
      verdictOn(
        [
          [real, inside],
          [failed, outside],
        ],
        expected,
      ),
      ["accepted", "RealFace"],
    );
    assert.deepEqual(verdictOn([[failed, outside]], expected), ["inconclusive", "AttemptsFailed", "(open)"]);
  });

  test("mismatch recorded before -> stays rejected, whatever comes later", () => {
    const earlier = { ...expected, earlierReasons: ["ClientIpMismatch"] };
    assert.deepEqual(verdictOn([[real, inside]], earlier), ["rejected", "ClientIpMismatch"]);
    assert.deepEqual(verdictOn([], { ...earlier, closed: true }), ["rejected", "ClientIpMismatch"]);
    const other = verdictOn([[real, inside]], { ...earlier, clientDigest: "other", digestIsNew: true });
    assert.deepEqual(other, ["rejected", "ClientDigestMismatch", "ClientIpMismatch"]);
  });

  test("text that is no address, also beside an expected one -> a real face is not accepted", () => {
    for (const facts of [from("203.0.113.24:443"), from("203.0.113.24", "unknown")]) {
      assert.deepEqual(verdictOn([[real, facts]], expected), ["inconclusive", "ClientIpMissing"]);
      assert.deepEqual(verdictOn([[spoof, facts]], expected), ["rejected", "SpoofDetected"]);
    }
  });

  test("no address of the latest result -> a real face is not accepted; rejections stay", () => {
    for (const facts of [{}, { clientInformation: [] }]) {
      assert.deepEqual(verdictOn([[real, facts]], expected), ["inconclusive", "ClientIpMissing"]);
      assert.deepEqual(
        verdictOn(
          [
            [real, inside],
            [real, facts],
          ],
          expected,
        ),
        ["inconclusive", "ClientIpMissing"],
      );
      assert.deepEqual(
        verdictOn(
          [
            [failed, inside],
            [real, facts],
          ],
          expected,
        ),
        ["inconclusive", "ClientIpMissing"],
      );
      assert.deepEqual(verdictOn([[spoof, facts]], expected), ["rejected", "SpoofDetected"]);
      const other = verdictOn([[{ ...real, ...match(false) }, facts]], { ...expected, kind: "livenessWithVerify" });
      assert.deepEqual(other, ["rejected", "FaceNotMatched"]);
    }
    assert.deepEqual(verdictOn([real, [real, inside]], expected), ["accepted", "RealFace"]);
  });
});

describe("decide with a finding of abuse monitoring", () => {
  const verify = { kind: "livenessWithVerify" } as const;

  test("no abuse -> as without a finding", () => {
    assert.deepEqual(verdictOn([[real, abuse(false)]]), ["accepted", "RealFace"]);
    assert.deepEqual(verdictOn([[spoof, abuse(false)]]), ["rejected", "SpoofDetected"]);
  });

  test("abuse -> accepted becomes inconclusive, any other decision keeps its own, with the reason added", () => {
    const matched = { ...real, ...match(true) };
    assert.deepEqual(verdictOn([[real, abuse()]]), ["inconclusive", "RealFace", "AbuseDetected"]);
    assert.deepEqual(verdictOn([[matched, abuse()]], verify), [
      "inconclusive",
      "RealFace",
      "FaceMatched",
      "AbuseDetected",
    ]);
    assert.deepEqual(verdictOn([[spoof, abuse()]]), ["rejected", "SpoofDetected", "AbuseDetected"]);
    const other = { ...real, ...match(false) };
    assert.deepEqual(verdictOn([[other, abuse()]], verify), ["rejected", "FaceNotMatched", "AbuseDetected"]);
    assert.deepEqual(verdictOn([[uncertain, abuse()]]), ["inconclusive", "LivenessUncertain", "AbuseDetected"]);
    assert.deepEqual(verdictOn([[failed, abuse()]]), ["inconclusive", "AttemptsFailed", "AbuseDetected", "(open)"]);
  });

  test("abuse in any attempt counts, also in a failed or an earlier one", () => {
    const flagged = ["inconclusive", "RealFace", "AbuseDetected"];
    assert.deepEqual(
      verdictOn([
        [failed, abuse()],
        [real, abuse(false)],
      ]),
      flagged,
    );
    assert.deepEqual(verdictOn([[spoof, abuse()], real]), flagged);
    assert.deepEqual(
      verdictOn([
        [real, abuse(false)],
        [failed, abuse()],
      ]),
      flagged,
    );
  });

  test("abuse beside an integrity failure -> rejected for good by that failure", () => {
    const expected = { expectedClientIpAddress: "203.0.113.7" };
    const facts = { ...from("198.51.100.7"), ...abuse() };
    assert.deepEqual(verdictOn([[real, facts]], expected), ["rejected", "ClientIpMismatch", "AbuseDetected"]);
  });

  test("abuse found before, and no longer returned -> still not accepted", () => {
    const earlierReasons = ["RealFace", "AbuseDetected"];
    assert.deepEqual(verdictOn([real], { earlierReasons }), ["inconclusive", "RealFace", "AbuseDetected"]);
    assert.deepEqual(verdictOn([spoof], { earlierReasons }), ["rejected", "SpoofDetected", "AbuseDetected"]);
    assert.deepEqual(verdictOn([[real, abuse()]], { earlierReasons }), ["inconclusive", "RealFace", "AbuseDetected"]);
  });
});
