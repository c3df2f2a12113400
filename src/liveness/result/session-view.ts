import { compact } from "../../compact.ts";
import { type Attempt, auditEntryId, type SessionState } from "../../face/model.ts";
import type { Caller } from "../model/caller.ts";
import { type AuditRecord, isUsedUp, type SessionRecord } from "../model/session.ts";
import { attemptFor, sessionFieldsFor } from "./digest-visibility.ts";
import { endedAttempts } from "./record-result.ts";

/**
 * A session as the Face routes return it: the state from the service, completed from the record. The caller sees only the
 * digests that `attemptFor` allows.
 *
 * @param trail audit entries, for the times of attempts without a time from the service.
 */
export function viewSession(
  caller: Caller,
  record: SessionRecord,
  state: SessionState,
  trail: readonly AuditRecord[],
  nowMs: number,
): SessionState {
  // Once the attempts are used up, an attempt that is still running does not count.
  const attempts = isUsedUp(record) ? endedAttempts(state) : state.attempts;
  const receivedOn = new Map(trail.map((entry) => [entry.entryId, entry.receivedOn]));
  return {
    ...sessionFieldsFor(caller, record, state),
    sessionId: record.sessionId,
    ...(isUsedUp(record) && { status: record.status }),
    attempts: attempts
      .slice(0, record.attemptsAllowed)
      .map((attempt) => viewAttempt(caller, record, attempt, receivedOn.get(auditEntryId(attempt)))),
    // From the record, like in the list of sessions.
    createdDateTime: record.createdOn,
    sessionExpired: state.sessionExpired ?? nowMs >= Date.parse(record.tokenExpiresOn),
    authTokenTimeToLiveInSeconds: record.ttlSeconds,
    ...compact({
      sessionStartDateTime: state.sessionStartDateTime ?? record.startedOn,
      deviceCorrelationId: state.deviceCorrelationId ?? record.deviceCorrelationId,
      modelVersion: state.modelVersion ?? record.modelVersion,
      verifyReferences: state.verifyReferences?.length ? state.verifyReferences : record.verifyReferences,
    }),
  };
}

/** @param receivedOn when this app first saw the attempt end, if the service returns no time. */
export function viewAttempt(
  caller: Caller,
  record: SessionRecord,
  original: Attempt,
  receivedOn: string | undefined,
): Attempt {
  const attempt = attemptFor(caller, record, original);
  const { result, audit } = attempt;
  const match = result?.verifyResult;
  // `isIdentical` is true only if the confidence reaches the session's threshold, which the service may not know.
  const isTooWeak = match?.isIdentical && match.matchConfidence < (record.threshold ?? 0);
  return {
    ...attempt,
    ...(isTooWeak && { result: { ...result, verifyResult: { ...match, isIdentical: false } } }),
    ...(!audit && receivedOn && { audit: { id: auditEntryId(attempt), receivedDateTime: receivedOn } }),
  };
}
