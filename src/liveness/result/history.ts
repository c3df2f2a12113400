import { sessionNotFound } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { Attempt, SessionKind, SessionListItem, VerifyReference } from "../../face/model.ts";
import { type Caller, ownerFilter } from "../model/caller.ts";
import type { Ports } from "../model/ports.ts";
import { type AuditRecord, attemptsAllowed, isUsedUp, type StoredSession } from "../model/session.ts";
import { shownSince, tokenIsOver } from "../retain/retention.ts";
import { attemptFor } from "./digest-visibility.ts";
import { findLiveSession, findSession } from "./get-session.ts";
import { type RecordResultDeps, recordResult } from "./record-result.ts";
import { viewAttempt } from "./session-view.ts";

/** Sessions of one kind that have not expired at the service and that the caller may see, ascending by id, after `start`. */
export async function listSessions(
  { sessions, now, retention }: Pick<Ports, "sessions" | "now" | "retention">,
  caller: Caller,
  kind: SessionKind,
  page: { start?: string | undefined; top: number },
): Promise<SessionListItem[]> {
  const query = compact({
    kind,
    top: page.top,
    createdAfter: shownSince(now(), retention),
    after: page.start,
    owner: ownerFilter(caller),
  });
  return (await sessions.list(query)).map(({ sessionId, createdOn, startedOn, ttlSeconds, deviceCorrelationId }) =>
    compact({
      sessionId,
      createdDateTime: createdOn,
      sessionExpired: now() >= Date.parse(createdOn) + ttlSeconds * 1000,
      authTokenTimeToLiveInSeconds: ttlSeconds,
      sessionStartDateTime: startedOn,
      deviceCorrelationId,
    }),
  );
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
 * @param page up to `top` attempts after the one whose entry has the id `start`, decimal digits. Default: all.
 * @throws ApiError `SessionNotFound`.
 */
export async function readAuditTrail(
  deps: RecordResultDeps,
  caller: Caller,
  kind: SessionKind,
  sessionId: string,
  page: { start: string; top: number } = { start: "", top: Number.POSITIVE_INFINITY },
): Promise<AuditTrail> {
  const stored = await refreshed(deps, await findLiveSession(deps, caller, kind, sessionId));
  const entries = await deps.sessions.auditEntries(stored);
  const { modelVersion, verifyReferences } = stored.record;
  const attempts = entries
    .filter(({ entryId }) => page.start === "" || BigInt(entryId) > BigInt(page.start))
    .slice(0, page.top)
    .map(({ entry, receivedOn }) => viewAttempt(caller, stored.record, entry, receivedOn));
  return compact({ attempts, modelVersion, verifyReferences });
}

/**
 * The stored entries of a session, ascending by id, with what the caller may see of them. The service is not called.
 *
 * @throws ApiError `SessionNotFound`.
 */
export async function readStoredEntries(
  deps: Pick<Ports, "sessions">,
  caller: Caller,
  sessionId: string,
): Promise<AuditRecord[]> {
  const stored = await findSession(deps, caller, sessionId);
  const entries = await deps.sessions.auditEntries(stored);
  return entries.map((audit) => ({ ...audit, entry: attemptFor(caller, stored.record, audit.entry) }));
}

async function refreshed(deps: RecordResultDeps, stored: StoredSession): Promise<StoredSession> {
  // A device may make further attempts after an attempt with a result.
  const { final, attempts, tokenExpiresOn } = stored.record;
  if (final && (attempts >= attemptsAllowed(stored.record) || tokenIsOver(tokenExpiresOn, deps.now()))) return stored;
  const result = await recordResult(deps, stored);
  if (result.state === undefined && !isUsedUp(result.stored.record)) throw sessionNotFound();
  return result.stored;
}
