import { sessionNotFound } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { SessionKind, SessionState } from "../../face/model.ts";
import { type Caller, mayUse } from "../model/caller.ts";
import type { Ports } from "../model/ports.ts";
import { type AuditRecord, isUsedUp, type SessionRecord, type StoredSession } from "../model/session.ts";
import { pruneDueOn } from "../retain/retention.ts";
import { endedAttempts, type RecordResultDeps, recordResult } from "./record-result.ts";
import { viewSession } from "./session-view.ts";

/** The service's ids are UUIDs; any other short word is permitted too. */
const sessionIdShape = /^[\w-]{1,64}$/;

/**
 * Finds a session's record that the caller may see. The service is not called.
 *
 * @throws ApiError `SessionNotFound`, also for sessions of other principals.
 */
export async function findSession(
  { sessions }: Pick<Ports, "sessions">,
  caller: Caller,
  sessionId: string,
): Promise<StoredSession> {
  const stored = sessionIdShape.test(sessionId) ? await sessions.find(sessionId) : undefined;
  if (stored === undefined || !mayUse(caller, stored.record)) throw sessionNotFound();
  return stored;
}

export interface SessionView {
  record: SessionRecord;
  /** As the service returns it, completed from the record. */
  state: SessionState;
  /** The service's `apim-request-id`. */
  requestId?: string;
}

export interface GetSessionOptions {
  /**
   * Whether to include when each attempt ended; if the service returns no times, the audit trail is read.
   * Default false.
   */
  withReceivedTimes?: boolean;
}

/**
 * Fetches a session's state from the service and records its changes.
 *
 * @throws ApiError `SessionNotFound`, also for deleted, pruned and expired sessions; errors of the service.
 */
export async function getSession(
  deps: RecordResultDeps,
  caller: Caller,
  kind: SessionKind,
  sessionId: string,
  { withReceivedTimes = false }: GetSessionOptions = {},
): Promise<SessionView> {
  const found = await findLiveSession(deps, caller, kind, sessionId);
  const { stored, isErased, requestId, ...result } = await recordResult(deps, found);
  const { record } = stored;
  // The app revokes a session whose attempts are used up, so that the service no longer knows it.
  const isKept = result.state === undefined && isErased === undefined && isUsedUp(record);
  const entries = isKept ? await deps.sessions.auditEntries(stored) : undefined;
  const state = result.state ?? (entries && storedState(record, entries));
  if (state === undefined) throw sessionNotFound();
  const needsTrail = withReceivedTimes && endedAttempts(state).some(({ audit }) => audit === undefined);
  const trail = needsTrail ? (entries ?? (await deps.sessions.auditEntries(stored))) : [];
  return compact({ record, requestId, state: viewSession(caller, record, state, trail, deps.now()) });
}

/** The session as it was recorded. */
function storedState(record: SessionRecord, entries: readonly AuditRecord[]): SessionState {
  const { sessionId, status, modelVersion, verifyReferences } = record;
  const attempts = entries.map(({ entry }) => entry);
  return compact({ sessionId, status, attempts, modelVersion, verifyReferences });
}

/**
 * Revokes a session at the service. Its outcome is recorded first and its record stays, as `Canceled`. A repeat after an
 * interruption between the record and the call of the service still revokes the session.
 *
 * @throws ApiError `SessionNotFound` if the session has no record or the service no longer has it.
 */
export async function deleteSession(
  deps: RecordResultDeps,
  caller: Caller,
  kind: SessionKind,
  sessionId: string,
): Promise<void> {
  const stored = await findSession(deps, caller, sessionId);
  const again = stored.record.revokedOn !== undefined;
  if (stored.record.kind !== kind || (isHidden(deps, stored) && !again)) throw sessionNotFound();
  if (!(await cancelSession(deps, stored))) throw sessionNotFound();
}

/** Records the outcome so far, then revokes and hides the session. False if the service did not have it any more. */
export async function cancelSession(deps: RecordResultDeps, stored: StoredSession): Promise<boolean> {
  const { sessionId, revokedOn, expiresOn } = stored.record;
  // The service no longer knows a session whose attempts are used up: the app has revoked it.
  const isUsed = isUsedUp(stored.record) && deps.now() < Date.parse(expiresOn);
  const wasKnown =
    revokedOn === undefined && ((await recordResult(deps, stored, { revoking: true })).state !== undefined || isUsed);
  const [revoked] = await Promise.all([
    deps.face.revoke(stored.record),
    deps.removals.hide(sessionId, new Date(deps.now()).toISOString()),
  ]);
  // A session that was known before was revoked by a concurrent call, or by this one in a request whose response was lost.
  return revoked || wasKnown;
}

/**
 * Whether the Face routes no longer show the session, because it was deleted or its retention has ended. The retention
 * ends by the clock, so that a session is hidden in time even if the timer is late.
 */
function isHidden({ now, retention }: Pick<Ports, "now" | "retention">, { record, prunedOn }: StoredSession): boolean {
  return prunedOn !== undefined || now() >= Date.parse(pruneDueOn(record.createdOn, retention));
}

/** @throws ApiError `SessionNotFound`, as the service does for sessions that were deleted or have expired. */
export async function findLiveSession(
  deps: Pick<Ports, "sessions" | "now" | "retention">,
  caller: Caller,
  kind: SessionKind,
  sessionId: string,
): Promise<StoredSession> {
  const stored = await findSession(deps, caller, sessionId);
  const { kind: ownKind, revokedOn, expiresOn } = stored.record;
  const isGone = isHidden(deps, stored) || revokedOn !== undefined || deps.now() >= Date.parse(expiresOn);
  if (ownKind !== kind || isGone) throw sessionNotFound();
  return stored;
}
