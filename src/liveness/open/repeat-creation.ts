import { creationInProgress, idempotencyKeyReused, sessionAlreadyUsed } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { CreatedSession, SessionState } from "../../face/model.ts";
import type { Reserved } from "../model/creations.ts";
import type { Ports } from "../model/ports.ts";
import type { SessionRecord, StoredSession } from "../model/session.ts";
import { cancelSession } from "../result/get-session.ts";
import type { RecordResultDeps } from "../result/record-result.ts";
import { admission, countForOwner, ignoreErrors, refundCounts, refundForOwner } from "./limits.ts";
import type { Plan } from "./plan-session.ts";

export type RepeatDeps = RecordResultDeps & Pick<Ports, "creations">;

/** Either the session of the first request, or the reservation of another session. */
export type Repeated =
  | { answer: { created: CreatedSession; record: SessionRecord; requestId?: string } }
  | { reserved: Reserved };

/**
 * Handles a creation whose idempotency key exists. An unused session is returned again. The token is not stored: if the
 * service does not return it, the session is revoked and replaced, so that at most one session of a key has a valid token.
 * The key names the session that is being replaced, so that a retry after a crash continues. A replacement counts in the
 * limits like any creation; returning the same session does not count.
 *
 * @throws ApiError from `admit` and `admitOwner`, without a change to the session and its key; `IdempotencyKeyReused` for
 *   another body; `CreationInProgress` while the first request is in progress; `SessionAlreadyUsed` after an attempt, a
 *   deletion or the expiry.
 */
export async function repeatCreation(deps: RepeatDeps, plan: Plan, existing: Reserved): Promise<Repeated> {
  const { key } = existing;
  if (key.bodyHash !== plan.key.bodyHash) throw idempotencyKeyReused();
  // A crashed request never completes its key, so a repeat waits for the end of the lease only.
  if (key.sessionId === undefined && deps.now() < Date.parse(key.leaseUntil)) throw creationInProgress();
  const stored = await previousOf(deps, existing);
  if (stored === undefined) return takeOver(deps, plan, existing, undefined);
  const { record } = stored;
  const isReplaced = key.sessionId === undefined && record.revokedOn !== undefined;
  if (isReplaced) return replace(deps, plan, existing, stored);
  // The session was revoked by its owner, or by a concurrent repeat, which has changed the key.
  if (record.revokedOn !== undefined && !(await deps.creations.isCurrent(existing))) throw creationInProgress();
  if (record.status !== "NotStarted") throw sessionAlreadyUsed();
  // A session unknown to the service was revoked after its commit failed: its token was not delivered, so it is replaced.
  const current = await deps.face.get(record);
  if (current !== undefined && (current.value.status !== "NotStarted" || current.value.attempts.length > 0)) {
    throw sessionAlreadyUsed();
  }
  const { authToken } = current?.value ?? {};
  if (current !== undefined && authToken !== undefined && deps.now() < Date.parse(record.tokenExpiresOn)) {
    const created = sameSession(current.value, authToken);
    return { answer: compact({ created, record, requestId: current.requestId }) };
  }
  return replace(deps, plan, existing, stored);
}

/** Revokes the session even if its record has `revokedOn`: an earlier request may have stopped before the call. */
async function replace(deps: RepeatDeps, plan: Plan, existing: Reserved, stored: StoredSession): Promise<Repeated> {
  const replacement = await takeOver(deps, plan, existing, stored.record.sessionId);
  try {
    await cancelSession(deps, stored);
  } catch (error) {
    // The key stays, so that a later repeat finds the session that is still to be revoked.
    await ignoreErrors(refundCounts(deps, plan, replacement.reserved));
    throw error;
  }
  return replacement;
}

/** The session of the key: the one that was committed, or the one that a crashed request was about to replace. */
function previousOf({ creations, sessions }: RepeatDeps, existing: Reserved): Promise<StoredSession | undefined> {
  const { sessionId, replaces } = existing.key;
  if (sessionId !== undefined) return creations.sessionOf(existing);
  return replaces === undefined ? Promise.resolve(undefined) : sessions.find(replaces);
}

function sameSession(state: SessionState, authToken: string): CreatedSession {
  const { sessionId, modelVersion, verifyReferences = [], isAbuseMonitoringEnabled, expectedClientIpAddress } = state;
  const facts = { modelVersion, isAbuseMonitoringEnabled, expectedClientIpAddress };
  return compact({ sessionId, authToken, verifyReferences, ...facts });
}

async function takeOver(
  deps: RepeatDeps,
  plan: Plan,
  existing: Reserved,
  replaces: string | undefined,
): Promise<{ reserved: Reserved }> {
  const key = compact({ ...plan.key, replaces });
  // The user's limit is checked first: a refusal after the takeover could not restore the key.
  await countForOwner(deps, plan);
  try {
    const reserved = await deps.creations.takeOver(existing, key, admission(deps, plan));
    if (reserved === undefined) throw creationInProgress();
    return { reserved };
  } catch (error) {
    await ignoreErrors(refundForOwner(deps, plan));
    throw error;
  }
}
