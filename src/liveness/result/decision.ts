import { type Attempt, type AttemptResult, maxAttempts, type SessionKind } from "../../face/model.ts";
import type { Decision } from "../model/session.ts";
import { isWithin } from "./client-address.ts";

/** Why a decision fell as it did: a decision has at least one reason. */
export const reasonCodes = [
  "ClientDigestMismatch",
  "VerifyImageHashMismatch",
  "ClientIpMismatch",
  "RealFace",
  "FaceMatched",
  "ClientDigestMissing",
  "SpoofDetected",
  "FaceNotMatched",
  "ConfidenceBelowThreshold",
  "VerifyResultMissing",
  "VerifyImageHashMissing",
  "ClientIpMissing",
  "AbuseDetected",
  "LivenessUncertain",
  "AttemptsFailed",
  "ClientError",
  "SessionUnused",
] as const;
export type Reason = (typeof reasonCodes)[number];

/** What was swapped on the way. It is remembered: whatever comes later, the session stays rejected. */
const integrityFailures = [
  "ClientDigestMismatch",
  "VerifyImageHashMismatch",
  "ClientIpMismatch",
] as const satisfies Reason[];

/** Whether reasons show that something was swapped. */
export function hasIntegrityFailure(reasons: readonly string[]): boolean {
  return integrityFailures.some((failure) => reasons.includes(failure));
}

export interface Evidence {
  kind: SessionKind;
  /** Those that have ended, ascending by `attemptId`. */
  attempts: readonly Attempt[];
  /** Attempts that count; further ones are ignored. Default: all that the service allows. */
  attemptsAllowed?: number;
  /** The address or the block of addresses that the device must use, if the caller requires one. */
  expectedClientIpAddress?: string;
  /** Lowest match confidence that is accepted; 0 leaves it to the service's `isIdentical`. */
  threshold: number;
  /** SHA-256 (hex) of the image that the session was opened with, where we know it. */
  referenceImageHash?: string;
  /** The device submitted the image itself, so that only the hash identifies it. */
  imageFromClient: boolean;
  /** The client's digest, from this settle request or an earlier one. */
  clientDigest?: string;
  /** The digest comes with this request, so it must be that of the latest attempt. */
  digestIsNew: boolean;
  /** Without the client's digest nothing is accepted. */
  requireClientDigest: boolean;
  /** The client reported that it could not go on. */
  clientFailed: boolean;
  /** The token has ended or was revoked: no further attempt can come. */
  closed: boolean;
  /** Reasons recorded before. */
  earlierReasons: readonly string[];
}

export interface Verdict {
  /** No further attempt is to be expected. */
  final: boolean;
  /** Absent while no attempt has ended and one still can. */
  decision?: Decision;
  reasons: string[];
}

/**
 * Decides on the latest attempt that has a result: `accepted` when a real face was seen and (with verify) it is the
 * expected one; `rejected` when it was not, or when something was swapped on the way; `inconclusive` when no attempt
 * gave an answer. A pure function: the same evidence gives the same verdict.
 */
export function decide(evidence: Evidence): Verdict {
  const attempts = evidence.attempts.slice(0, evidence.attemptsAllowed);
  return decideOn({ ...evidence, attempts });
}

function decideOn(evidence: Evidence): Verdict {
  const { attempts, closed } = evidence;
  const latest = attempts.findLast(({ result }) => result !== undefined)?.result;
  const final = latest !== undefined || closed || attempts.length >= (evidence.attemptsAllowed ?? maxAttempts);
  const swapped = integrityFailures.filter(
    (failure) => evidence.earlierReasons.includes(failure) || detect[failure](evidence, latest),
  );
  if (swapped.length > 0) return { final, ...withAbuse(evidence, { decision: "rejected", reasons: swapped }) };
  if (latest !== undefined) return { final, ...withAbuse(evidence, judge(evidence, latest)) };
  const reasons = unanswered(evidence);
  if (reasons.length === 0) return { final, reasons };
  return { final, ...withAbuse(evidence, { decision: "inconclusive", reasons }) };
}

const detect: Record<
  (typeof integrityFailures)[number],
  (evidence: Evidence, latest: AttemptResult | undefined) => boolean
> = {
  ClientDigestMismatch: ({ clientDigest, digestIsNew }, latest) =>
    digestIsNew && latest?.digest !== undefined && !sameDigest(latest.digest, clientDigest),
  VerifyImageHashMismatch: ({ attempts, referenceImageHash }) =>
    referenceImageHash !== undefined &&
    attempts.some(
      ({ result }) => result?.verifyImageHash !== undefined && !sameDigest(result.verifyImageHash, referenceImageHash),
    ),
  // A failed attempt from elsewhere proves nothing: with a stolen token, it would reject the user's own session.
  ClientIpMismatch: ({ attempts, expectedClientIpAddress: expected }) =>
    expected !== undefined &&
    attempts.some(
      ({ result, clientInformation = [] }) =>
        result !== undefined && clientInformation.some(({ ip }) => !isWithin(ip, expected)),
    ),
};

/**
 * What the service's abuse monitoring has flagged is not accepted without a person. Rejections stay. A finding is
 * remembered: it may be newer than the recorded attempt, which is all that is left once the service forgets the session.
 */
function withAbuse({ attempts, earlierReasons }: Evidence, { decision, reasons }: Judgement): Judgement {
  const isFlagged =
    earlierReasons.includes("AbuseDetected") ||
    attempts.some(({ abuseMonitoringResult }) => abuseMonitoringResult?.isAbuseDetected);
  if (!isFlagged) return { decision, reasons };
  return { decision: decision === "rejected" ? decision : "inconclusive", reasons: [...reasons, "AbuseDetected"] };
}

interface Judgement {
  decision: Decision;
  reasons: Reason[];
}

function judge(evidence: Evidence, result: AttemptResult): Judgement {
  switch (result.livenessDecision?.toLowerCase()) {
    case "realface":
      return judgeRealFace(evidence, result);
    case "spoofface":
      return { decision: "rejected", reasons: ["SpoofDetected"] };
    default:
      // Unknown decisions are treated as `uncertain`.
      return { decision: "inconclusive", reasons: ["LivenessUncertain"] };
  }
}

function judgeRealFace(evidence: Evidence, result: AttemptResult): Judgement {
  const seen: Reason[] = ["RealFace"];
  if (evidence.kind === "livenessWithVerify") {
    const match = result.verifyResult;
    if (match === undefined) return { decision: "inconclusive", reasons: ["VerifyResultMissing"] };
    if (!match.isIdentical) return { decision: "rejected", reasons: ["FaceNotMatched"] };
    if (match.matchConfidence < evidence.threshold) {
      return { decision: "rejected", reasons: ["ConfidenceBelowThreshold"] };
    }
    if (evidence.imageFromClient && evidence.referenceImageHash !== undefined && result.verifyImageHash === undefined) {
      return { decision: "inconclusive", reasons: ["VerifyImageHashMissing"] };
    }
    seen.push("FaceMatched");
  }
  if (evidence.expectedClientIpAddress !== undefined && !reportsAddress(evidence)) {
    return { decision: "inconclusive", reasons: ["ClientIpMissing"] };
  }
  if (sameDigest(result.digest, evidence.clientDigest)) {
    return { decision: "accepted", reasons: seen };
  }
  return {
    decision: evidence.requireClientDigest ? "inconclusive" : "accepted",
    reasons: [...seen, "ClientDigestMissing"],
  };
}

/** Whether the service returned the address of the latest attempt with a result. */
function reportsAddress({ attempts }: Evidence): boolean {
  const { clientInformation = [] } = attempts.findLast(({ result }) => result !== undefined) ?? {};
  return clientInformation.length > 0;
}

/** Digests in hex are the same whatever the case of their letters; in any other notation the case counts. */
export function sameDigest(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  const isHex = /^[0-9a-f]+$/i;
  return isHex.test(one) && isHex.test(other) ? one.toLowerCase() === other.toLowerCase() : one === other;
}

function unanswered({ attempts, clientFailed, closed }: Evidence): Reason[] {
  const reasons: Reason[] = [];
  if (attempts.length > 0) reasons.push("AttemptsFailed");
  if (clientFailed) reasons.push("ClientError");
  if (reasons.length === 0 && closed) reasons.push("SessionUnused");
  return reasons;
}
