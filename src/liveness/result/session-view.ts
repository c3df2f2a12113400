import { type Attempt, auditEntryId, type SessionState } from "../../face/model.ts";
import type { Caller } from "../model/caller.ts";
import { type AuditRecord, isUsedUp, type SessionRecord } from "../model/session.ts";
import { attemptFor, sessionFieldsFor } from "./digest-visibility.ts";

/**
 * A session as the dialects return it: the state from the service, completed from the store. The caller sees only the
 * digests that `attemptFor` allows.
 *
 * @param trail the stored entries, for the times of attempts without a time from the service.
 */
export function viewSession(
  caller: Caller,
  record: SessionRecord,
  state: SessionState,
  trail: readonly AuditRecord[],
  nowMs: number,
): SessionState {
  const receivedOn = new Map(trail.map((entry) => [entry.entryId, entry.receivedOn]));
  const sessionStartDateTime = state.sessionStartDateTime ?? record.startedOn;
  const deviceCorrelationId = state.deviceCorrelationId ?? record.deviceCorrelationId;
  const modelVersion = state.modelVersion ?? record.modelVersion;
  const verifyReferences = state.verifyReferences?.length ? state.verifyReferences : record.verifyReferences;
  return {
    ...sessionFieldsFor(caller, record, state),
    sessionId: record.sessionId,
    ...(isUsedUp(record) && { status: record.status }),
    attempts: state.attempts
      .slice(0, record.attemptsAllowed)
      .map((attempt) => viewAttempt(caller, record, attempt, receivedOn.get(auditEntryId(attempt)))),
    // The list has it from the store, and the two must not differ.
    createdDateTime: record.createdOn,
    sessionExpired: state.sessionExpired ?? nowMs >= Date.parse(record.tokenExpiresOn),
    authTokenTimeToLiveInSeconds: record.ttlSeconds,
    ...(sessionStartDateTime !== undefined && { sessionStartDateTime }),
    ...(deviceCorrelationId !== undefined && { deviceCorrelationId }),
    ...(modelVersion !== undefined && { modelVersion }),
    ...(verifyReferences !== undefined && { verifyReferences }),
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
  // `isIdentical` must not be true below the session's own threshold.
  const isTooWeak = match?.isIdentical && match.matchConfidence < (record.threshold ?? 0);
  return {
    ...attempt,
    ...(isTooWeak && { result: { ...result, verifyResult: { ...match, isIdentical: false } } }),
    ...(!audit && receivedOn && { audit: { id: auditEntryId(attempt), receivedDateTime: receivedOn } }),
  };
}
