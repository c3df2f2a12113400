import { ApiError } from "../errors.ts";
import type { CreatedSession, SessionState } from "../face/model.ts";
import type { Plan } from "./plan-session.ts";
import type { CreationKey, Reserved } from "./ports.ts";
import type { RecordResultDeps } from "./record-result.ts";
import type { SessionRecord, StoredSession } from "./session.ts";
import { cancelSession } from "./watch-session.ts";

export type RepeatDeps = RecordResultDeps;

/** Either the session of the first request again, or the place in which to open another one. */
export type Repeated =
  | { answer: { created: CreatedSession; record: SessionRecord; requestId?: string } }
  | { reserved: Reserved };

/** What an answer says of a request with `Repeatability-Request-ID`. */
const rejected = { "repeatability-result": "rejected" };

/**
 * A request with a key that is known already. Its session is answered again while nobody has used it. The token is not
 * stored, so where the service does not tell it either, the session is revoked and another one takes its place: never do
 * two sessions live whose tokens were handed out for one key. The key row says which session is being replaced, so that
 * a repeat after a crash goes on where that stopped.
 *
 * @throws ApiError 422 `IdempotencyKeyReused` with another body; 409 `CreationInProgress` while the first request is in
 *   flight; 409 `SessionAlreadyUsed` once an attempt was made, or the session was deleted or has expired.
 */
export async function repeatCreation(deps: RepeatDeps, plan: Plan, existing: Reserved): Promise<Repeated> {
  const { key } = existing;
  if (key.bodyHash !== plan.idempotency?.bodyHash) {
    throw new ApiError(422, "IdempotencyKeyReused", "The key was used before, with another request.", {
      headers: rejected,
    });
  }
  // A request that crashed has left its lease, and the lease has an end.
  if (key.sessionId === undefined && deps.now() < Date.parse(key.leaseUntil)) throw inProgress();
  const stored = await previousOf(deps, existing);
  if (stored === undefined) return takeOver(deps, plan, existing, undefined);
  const { record } = stored;
  const isReplaced = key.sessionId === undefined && record.revokedOn !== undefined;
  if (isReplaced) return replace(deps, plan, existing, stored);
  // Revoked by its owner, or a moment ago by another repeat: that one has changed the key's row.
  if (record.revokedOn !== undefined && !(await isUnchanged(deps, existing))) throw inProgress();
  if (record.status !== "NotStarted") throw alreadyUsed();
  // A session that the service does not know was revoked by the very creation whose commit failed: nobody has its token.
  const told = await deps.face.get(record);
  if (told !== undefined && (told.value.status !== "NotStarted" || told.value.attempts.length > 0)) throw alreadyUsed();
  const { authToken } = told?.value ?? {};
  if (told !== undefined && authToken !== undefined && deps.now() < Date.parse(record.tokenExpiresOn)) {
    const { requestId } = told;
    return {
      answer: { created: sameSession(told.value, authToken), record, ...(requestId !== undefined && { requestId }) },
    };
  }
  return replace(deps, plan, existing, stored);
}

/** Whether nobody has written the key's row since it was read: by its ETag, it is written again as it is. */
async function isUnchanged({ devices }: RepeatDeps, existing: Reserved): Promise<boolean> {
  return (await devices.takeOver(existing, existing.key)) !== undefined;
}

/** Revokes what is replaced in any case: whoever recorded that may have stopped before the service heard of it. */
async function replace(deps: RepeatDeps, plan: Plan, existing: Reserved, stored: StoredSession): Promise<Repeated> {
  const place = await takeOver(deps, plan, existing, stored.record.sessionId);
  await cancelSession(deps, stored);
  return place;
}

/** The session of the key: the one that was committed, or the one that a crashed request was about to replace. */
function previousOf({ devices, sessions }: RepeatDeps, existing: Reserved): Promise<StoredSession | undefined> {
  const { sessionId, replaces } = existing.key;
  if (sessionId !== undefined) return devices.sessionOf(existing);
  return replaces === undefined ? Promise.resolve(undefined) : sessions.find(replaces);
}

function sameSession(
  { sessionId, modelVersion, verifyReferences = [] }: SessionState,
  authToken: string,
): CreatedSession {
  return { sessionId, authToken, verifyReferences, ...(modelVersion !== undefined && { modelVersion }) };
}

async function takeOver(
  { devices }: RepeatDeps,
  plan: Plan,
  existing: Reserved,
  replaces: string | undefined,
): Promise<{ reserved: Reserved }> {
  const key = { ...keyOf(plan), ...(replaces !== undefined && { replaces }) };
  const reserved = await devices.takeOver(existing, key);
  if (reserved === undefined) throw inProgress();
  return { reserved };
}

/** How long a creation may be under way before it counts as crashed. */
const leaseMs = 30_000;

/** The key row of a creation that begins now. */
export function keyOf({ command, creation, idempotency }: Plan): CreationKey {
  return {
    creationId: creation.creationId,
    leaseUntil: new Date(Date.parse(creation.createdOn) + leaseMs).toISOString(),
    expiryPartition: creation.expiryPartition,
    ...(idempotency !== undefined && { bodyHash: idempotency.bodyHash }),
    ...(command.caller.owner !== undefined && { owner: command.caller.owner }),
  };
}

function alreadyUsed(): ApiError {
  return new ApiError(409, "SessionAlreadyUsed", "The session of this key has been used, deleted or has expired.", {
    headers: rejected,
  });
}

function inProgress(): ApiError {
  return new ApiError(409, "CreationInProgress", "The first request with this key is still being worked on.", {
    headers: rejected,
    retryAfter: "1",
  });
}
