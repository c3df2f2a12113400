import { sessionNotFound } from "../../api-errors.ts";
import type { Attempt, SessionKind, SessionListItem, VerifyReference } from "../../face/model.ts";
import type { Caller } from "../model/caller.ts";
import { type AuditRecord, attemptsAllowed, isUsedUp, type StoredSession } from "../model/session.ts";
import type { Sessions } from "../model/sessions.ts";
import { sessionLifeMs, tokenIsOver } from "../retain/retention.ts";
import { attemptFor } from "./digest-visibility.ts";
import { findLiveSession, findSession } from "./get-session.ts";
import { type RecordResultDeps, recordResult } from "./record-result.ts";
import { viewAttempt } from "./session-view.ts";

/** Sessions of one kind that the service would still know and the caller may see, ascending by id, after `start`. */
export async function listSessions(
  { sessions, now }: Pick<RecordResultDeps, "sessions" | "now">,
  caller: Caller,
  kind: SessionKind,
  page: { start?: string | undefined; top: number },
): Promise<SessionListItem[]> {
  const pointers = await sessions.list({
    kind,
    top: page.top,
    createdAfter: new Date(now() - sessionLifeMs).toISOString(),
    ...(page.start !== undefined && { after: page.start }),
    ...(!caller.trusted && { owner: caller.owner ?? "" }),
  });
  return pointers.map((pointer) => ({
    sessionId: pointer.sessionId,
    createdDateTime: pointer.createdOn,
    sessionExpired: now() >= Date.parse(pointer.createdOn) + pointer.ttlSeconds * 1000,
    authTokenTimeToLiveInSeconds: pointer.ttlSeconds,
    ...(pointer.startedOn !== undefined && { sessionStartDateTime: pointer.startedOn }),
    ...(pointer.deviceCorrelationId !== undefined && { deviceCorrelationId: pointer.deviceCorrelationId }),
  }));
}

export interface AuditTrail {
  /** Ascending by the ids of their entries. */
  attempts: Attempt[];
  modelVersion?: string;
  verifyReferences?: VerifyReference[];
}

/**
 * The attempts of a session. New attempts are recorded first.
 *
 * @throws ApiError 404 `SessionNotFound`.
 */
export async function readAuditTrail(
  deps: RecordResultDeps,
  caller: Caller,
  kind: SessionKind,
  sessionId: string,
): Promise<AuditTrail> {
  const stored = await refreshed(deps, await findLiveSession(deps, caller, kind, sessionId));
  const entries = await deps.sessions.auditEntries(stored);
  const { modelVersion, verifyReferences } = stored.record;
  return {
    attempts: entries.map(({ entry, receivedOn }) => viewAttempt(caller, stored.record, entry, receivedOn)),
    ...(modelVersion !== undefined && { modelVersion }),
    ...(verifyReferences !== undefined && { verifyReferences }),
  };
}

/**
 * The stored entries of a session, ascending by id, with what the caller may see of them. Only the store is read.
 *
 * @throws ApiError 404 `SessionNotFound`.
 */
export async function readStoredEntries(
  deps: { sessions: Sessions },
  caller: Caller,
  sessionId: string,
): Promise<AuditRecord[]> {
  const stored = await findSession(deps, caller, sessionId);
  const entries = await deps.sessions.auditEntries(stored);
  return entries.map((audit) => ({ ...audit, entry: attemptFor(caller, stored.record, audit.entry) }));
}

async function refreshed(deps: RecordResultDeps, stored: StoredSession): Promise<StoredSession> {
  // A device may use its other attempts after one that had a result.
  const { final, attempts, tokenExpiresOn } = stored.record;
  if (final && (attempts >= attemptsAllowed(stored.record) || tokenIsOver(tokenExpiresOn, deps.now()))) return stored;
  const result = await recordResult(deps, stored);
  if (result.state === undefined && !isUsedUp(result.stored.record)) throw sessionNotFound();
  return result.stored;
}
