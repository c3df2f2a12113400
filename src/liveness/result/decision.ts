import { BlockList, isIP } from "node:net";
import { type Attempt, type AttemptResult, maxAttempts, type SessionKind } from "../../face/model.ts";
import type { Decision } from "../model/session.ts";

/** Reasons of decisions. Every decision has at least one. */
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

/** Signs that a result or image was replaced, or came from another address; each rejects the session permanently. */
const integrityFailures = [
  "ClientDigestMismatch",
  "VerifyImageHashMismatch",
  "ClientIpMismatch",
] as const satisfies Reason[];

/** Whether the reasons contain an integrity failure. */
export function hasIntegrityFailure(reasons: readonly string[]): boolean {
  return integrityFailures.some((failure) => reasons.includes(failure));
}

export interface Evidence {
  kind: SessionKind;
  /** Attempts that have ended, ascending by `attemptId`. */
  attempts: readonly Attempt[];
  /** Attempts that count; further ones are ignored. Default: all that the service allows. */
  attemptsAllowed?: number;
  /** The address or the block of addresses that the device must use, if the caller requires one. */
  expectedClientIpAddress?: string;
  /** Lowest match confidence that is accepted, 0 to 1. With 0, only the service's `isIdentical` counts. */
  threshold: number;
  /** SHA-256 (hex) of the image that the session was opened with, if known. */
  referenceImageHash?: string;
  /** The device submitted the image itself, so that only the hash identifies it. */
  imageFromClient: boolean;
  /** The client's digest, from this settle request or an earlier one. */
  clientDigest?: string;
  /** The digest was sent with this request, so it must be that of the latest attempt. */
  digestIsNew: boolean;
  /** A session is accepted only with the client's digest. */
  requireClientDigest: boolean;
  /** The client reported an error. */
  clientFailed: boolean;
  /** The token has ended or was revoked: no further attempt is possible. */
  closed: boolean;
  /** Reasons recorded before. */
  earlierReasons: readonly string[];
}

export interface Verdict {
  /** No further attempt is expected. */
  final: boolean;
  /** Absent while no attempt has ended and one is still possible. */
  decision?: Decision;
  reasons: string[];
}

/**
 * Decides on the latest attempt that has a result. `accepted`: a real face, and with verify the expected one. `rejected`: a
 * spoof, another face, or an integrity failure. `inconclusive`: no attempt has a usable result, or something that the
 * decision requires is missing. A pure function of the evidence.
 */
export function decide(evidence: Evidence): Verdict {
  const attempts = evidence.attempts.slice(0, evidence.attemptsAllowed);
  return decideOn({ ...evidence, attempts });
}

function decideOn(evidence: Evidence): Verdict {
  const { attempts, closed } = evidence;
  const latest = attempts.findLast(({ result }) => result !== undefined)?.result;
  const final = latest !== undefined || closed || attempts.length >= (evidence.attemptsAllowed ?? maxAttempts);
  const failures = integrityFailures.filter(
    (failure) => evidence.earlierReasons.includes(failure) || detect[failure](evidence, latest),
  );
  if (failures.length > 0) return { final, ...withAbuse(evidence, { decision: "rejected", reasons: failures }) };
  if (latest !== undefined) return { final, ...withAbuse(evidence, judge(evidence, latest)) };
  const reasons = reasonsWithoutResult(evidence);
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
  // Failed attempts do not count: otherwise a failed attempt with a stolen token would reject the user's own session.
  ClientIpMismatch: ({ attempts, expectedClientIpAddress: expected }) =>
    expected !== undefined &&
    attempts.some(
      ({ result, clientInformation = [] }) =>
        result !== undefined && clientInformation.some(({ ip }) => isWithin(ip, expected) === false),
    ),
};

/**
 * A session that abuse monitoring has flagged is not accepted; a person has to decide. A rejection stays a rejection. The
 * reason stays, too: the finding may be newer than the recorded attempt, and the service deletes the session.
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
  const { expectedClientIpAddress } = evidence;
  if (expectedClientIpAddress !== undefined && !comesFrom(expectedClientIpAddress, evidence)) {
    return { decision: "inconclusive", reasons: ["ClientIpMissing"] };
  }
  if (sameDigest(result.digest, evidence.clientDigest)) return { decision: "accepted", reasons: seen };
  return {
    decision: evidence.requireClientDigest ? "inconclusive" : "accepted",
    reasons: [...seen, "ClientDigestMissing"],
  };
}

/** Whether the service returned only expected addresses, and at least one, for the latest attempt with a result. */
function comesFrom(expected: string, { attempts }: Evidence): boolean {
  const { clientInformation = [] } = attempts.findLast(({ result }) => result !== undefined) ?? {};
  return clientInformation.length > 0 && clientInformation.every(({ ip }) => isWithin(ip, expected));
}

/** Compares hex digests without regard to case, and others exactly. A missing digest equals none. */
export function sameDigest(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  const isHex = /^[0-9a-f]+$/i;
  return isHex.test(one) && isHex.test(other) ? one.toLowerCase() === other.toLowerCase() : one === other;
}

function reasonsWithoutResult({ attempts, clientFailed, closed }: Evidence): Reason[] {
  const reasons: Reason[] = [];
  if (attempts.length > 0) reasons.push("AttemptsFailed");
  if (clientFailed) reasons.push("ClientError");
  if (reasons.length === 0 && closed) reasons.push("SessionUnused");
  return reasons;
}

/**
 * Whether an address is the expected one, or within the expected CIDR block. IPv4 addresses in IPv6 notation are IPv4
 * addresses. Undefined for text that is no address.
 */
export function isWithin(address: string, expected: string): boolean | undefined {
  const [base = "", prefix] = expected.split("/");
  const family = familyOf(base);
  const of = familyOf(address);
  if (family === undefined || of === undefined) return undefined;
  const allowed = new BlockList();
  if (prefix === undefined) allowed.addAddress(base, family);
  else allowed.addSubnet(base, Number(prefix), family);
  return allowed.check(address, of);
}

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? "ipv4" : "ipv6";
}
