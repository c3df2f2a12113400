import { sessionNotFound } from "../face/errors.ts";
import type { SessionKind, SessionListItem } from "../face/model.ts";
import type { Caller } from "./access.ts";
import { type RecordResultDeps, recordResult } from "./record-result.ts";
import { sessionLifeMs } from "./retention.ts";
import type { AuditRecord, StoredSession } from "./session.ts";
import { findLiveSession } from "./watch-session.ts";

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

/**
 * The attempts of a session, ascending. What the service has told since the last look is recorded first.
 *
 * @throws ApiError 404 `SessionNotFound`.
 */
export async function readAuditTrail(
  deps: RecordResultDeps,
  caller: Caller,
  kind: SessionKind,
  sessionId: string,
): Promise<AuditRecord[]> {
  const stored = await findLiveSession(deps, caller, kind, sessionId);
  return deps.sessions.auditEntries(await refreshed(deps, stored));
}

async function refreshed(deps: RecordResultDeps, stored: StoredSession): Promise<StoredSession> {
  if (stored.record.final) return stored;
  const result = await recordResult(deps, stored);
  if (result.state === undefined) throw sessionNotFound();
  return result.stored;
}
