import type { SessionRecord } from "../model/session.ts";
import { tokenIsOver } from "../retain/retention.ts";
import { hasIntegrityFailure, type Reason } from "./decision.ts";

/** What an app should do next with a session. The rule is at `nextStep`. */
export const nextActions = ["wait", "retry", "newSession", "review", "done"] as const;
export type NextAction = (typeof nextActions)[number];

export interface NextStep {
  /** Attempts that the token still allows, as far as they are recorded. 0 when the session is final or its token has ended. */
  attemptsLeft: number;
  nextAction: NextAction;
}

type Outcome = Pick<
  SessionRecord,
  "attempts" | "final" | "decision" | "reasons" | "status" | "revokedOn" | "tokenExpiresOn"
>;

/**
 * Reasons that another attempt may change. Any other reason of a session that is not accepted leads to `review`, also a
 * reason that this version does not know: a person decides, because further attempts are likely to end in the same way.
 *
 * - `ClientDigestMissing` is among them: the digest may still be sent to `settle`, which then accepts the session. An app
 *   that has lost the digest gets a new one from a new session only.
 * - `VerifyResultMissing` and `VerifyImageHashMissing` are not: the service left out what the session needs, as it would do
 *   in the next session.
 */
const changeable: ReadonlySet<string> = new Set<Reason>([
  "RealFace",
  "FaceMatched",
  "ClientDigestMissing",
  "SpoofDetected",
  "FaceNotMatched",
  "ConfidenceBelowThreshold",
  "LivenessUncertain",
  "AttemptsFailed",
  "ClientError",
  "SessionUnused",
]);

/**
 * Derives the next step from the record and the time. The first case that applies decides:
 *
 * | session | action |
 * |---|---|
 * | 1. accepted | `done` |
 * | 2. rejected by an integrity failure | `done` |
 * | 3. decided with a reason that another attempt does not change | `review` |
 * | 4. undecided, not closed, token valid or ended less than two minutes ago | `wait` |
 * | 5. undecided otherwise: revoked, canceled, expired | `newSession` |
 * | 6. attempts failed or the client gave up, attempts left | `retry` |
 * | 7. the same, no attempt left or the token has ended | `newSession` |
 * | 8. final: uncertain, rejected for the face, without a digest, unused | `newSession` |
 *
 * - 2: the rejection is permanent, and a sender of manipulated results must not be offered another attempt.
 * - 4: an attempt may be running: one that began just before the token's end may take two minutes. In this case `settle`
 *   answers `SessionNotFinished`.
 * - 5: `settle` or the timer may still record a result that no caller has fetched, and the action changes then. The
 *   action is not `wait`, because most of these sessions get no result.
 * - 6: the token works without another creation, which would count towards the limits.
 * - 7: the device is back from its attempt, so the user need not wait for the two minutes to pass.
 * - 8: a result is final: the token's remaining attempts can no longer change the decision.
 *
 * Lockouts of the device are not considered, because they are no property of a session, and begin and end at any time.
 * During a lockout, the creation of the next session is refused with `DeviceLockedOut`.
 *
 * @param attemptsAllowed attempts that the session's token allows, 1 to 3.
 */
export function nextStep(record: Outcome, nowMs: number, attemptsAllowed: number): NextStep {
  // `Canceled` without a revocation: the user gave up, and the service has closed the session.
  const isClosed = record.final || record.revokedOn !== undefined || record.status === "Canceled";
  const hasEnded = isClosed || nowMs >= Date.parse(record.tokenExpiresOn);
  const attemptsLeft = hasEnded ? 0 : Math.max(0, attemptsAllowed - record.attempts);
  const mayBeRunning = !isClosed && !tokenIsOver(record.tokenExpiresOn, nowMs);
  return { attemptsLeft, nextAction: choose(record, attemptsLeft, mayBeRunning) };
}

function choose({ decision, reasons }: Outcome, attemptsLeft: number, mayBeRunning: boolean): NextAction {
  if (decision === "accepted" || hasIntegrityFailure(reasons)) return "done";
  if (reasons.some((reason) => !changeable.has(reason))) return "review";
  if (decision === undefined) return mayBeRunning ? "wait" : "newSession";
  return attemptsLeft > 0 ? "retry" : "newSession";
}
