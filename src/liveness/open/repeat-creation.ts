import { creationInProgress, idempotencyKeyReused, sessionAlreadyUsed } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { CreatedSession, SessionState } from "../../face/model.ts";
import type { Creations, Reserved } from "../model/creations.ts";
import type { SessionRecord, StoredSession } from "../model/session.ts";
import { cancelSession } from "../result/get-session.ts";
import type { RecordResultDeps } from "../result/record-result.ts";
import { admission, ignoreErrors, refundOwnerPlace, refundPlaces, takeOwnerPlace } from "./places.ts";
import type { Plan } from "./plan-session.ts";

export interface RepeatDeps extends RecordResultDeps {
  creations: Creations;
}

/** Either the session of the first request again, or the place in which to open another one. */
export type Repeated =
  | { answer: { created: CreatedSession; record: SessionRecord; requestId?: string } }
  | { reserved: Reserved };

/**
 * Handles a creation whose idempotency key exists. An unused session is returned again. The token is not stored: if the
 * service does not return it, the session is revoked and replaced, so that never two sessions are alive whose tokens were
 * delivered for one key. The key contains the session that is being replaced, so that a retry after a crash continues. A
 * replacement takes places like any creation; returning the same session takes none.
 *
 * @throws ApiError what `admit` and `admitOwner` throw, without a change to the session and its key; `IdempotencyKeyReused`
 *   for another body; `CreationInProgress` while the first request is in progress; `SessionAlreadyUsed` after an attempt, a
 *   deletion or the expiry.
 */
export async function repeatCreation(deps: RepeatDeps, plan: Plan, existing: Reserved): Promise<Repeated> {
  const { key } = existing;
  if (key.bodyHash !== plan.key.bodyHash) {
    throw idempotencyKeyReused();
  }
  // The lease of a crashed request ends.
  if (key.sessionId === undefined && deps.now() < Date.parse(key.leaseUntil)) throw creationInProgress();
  const stored = await previousOf(deps, existing);
  if (stored === undefined) return takeOver(deps, plan, existing, undefined);
  const { record } = stored;
  const isReplaced = key.sessionId === undefined && record.revokedOn !== undefined;
  if (isReplaced) return replace(deps, plan, existing, stored);
  // Revoked by its owner, or a moment ago by another repeat: that one has changed the key's row.
  if (record.revokedOn !== undefined && !(await deps.creations.isCurrent(existing))) throw creationInProgress();
  if (record.status !== "NotStarted") throw sessionAlreadyUsed();
  // If the service does not know the session, its own creation revoked it after a failed commit: no caller has its token.
  const current = await deps.face.get(record);
  if (current !== undefined && (current.value.status !== "NotStarted" || current.value.attempts.length > 0))
    throw sessionAlreadyUsed();
  const { authToken } = current?.value ?? {};
  if (current !== undefined && authToken !== undefined && deps.now() < Date.parse(record.tokenExpiresOn)) {
    const { requestId } = current;
    return {
      answer: { created: sameSession(current.value, authToken), record, ...(requestId !== undefined && { requestId }) },
    };
  }
  return replace(deps, plan, existing, stored);
}

/** Revokes the replaced session in any case: an earlier request may have recorded that and stopped before the call. */
async function replace(deps: RepeatDeps, plan: Plan, existing: Reserved, stored: StoredSession): Promise<Repeated> {
  const place = await takeOver(deps, plan, existing, stored.record.sessionId);
  try {
    await cancelSession(deps, stored);
  } catch (error) {
    // The key row stays: by it a later repeat finds the session that is still to be revoked.
    await ignoreErrors(refundPlaces(deps, plan, place.reserved));
    throw error;
  }
  return place;
}

/** The session of the key: the one that was committed, or the one that a crashed request was about to replace. */
function previousOf({ creations, sessions }: RepeatDeps, existing: Reserved): Promise<StoredSession | undefined> {
  const { sessionId, replaces } = existing.key;
  if (sessionId !== undefined) return creations.sessionOf(existing);
  return replaces === undefined ? Promise.resolve(undefined) : sessions.find(replaces);
}

function sameSession(state: SessionState, authToken: string): CreatedSession {
  const { sessionId, modelVersion, verifyReferences = [], isAbuseMonitoringEnabled, expectedClientIpAddress } = state;
  const facts = compact({ modelVersion, isAbuseMonitoringEnabled, expectedClientIpAddress });
  return { sessionId, authToken, verifyReferences, ...facts };
}

async function takeOver(
  deps: RepeatDeps,
  plan: Plan,
  existing: Reserved,
  replaces: string | undefined,
): Promise<{ reserved: Reserved }> {
  const key = { ...plan.key, ...(replaces !== undefined && { replaces }) };
  // The user's limit first: once the key is taken over, a refusal could not leave it as it was.
  await takeOwnerPlace(deps, plan);
  try {
    const reserved = await deps.creations.takeOver(existing, key, admission(deps, plan));
    if (reserved === undefined) throw creationInProgress();
    return { reserved };
  } catch (error) {
    await ignoreErrors(refundOwnerPlace(deps, plan));
    throw error;
  }
}
