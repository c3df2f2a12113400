import type { GuardChange } from "./limits.ts";
import type { SessionStore } from "./ports.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "./session.ts";

/** What to write: the record as it should be, and what goes with it in the same transaction. Undefined: nothing. */
export type Amendment =
  | { record: SessionRecord; entries?: readonly AuditRecord[]; guard?: { change: GuardChange; etag?: string } }
  | undefined;

/** Somebody else may write at the same time; more often than this in a row it is not chance. */
const maxRounds = 8;

/**
 * Writes a record on the ground of what is stored, and decides anew whenever somebody else wrote in between.
 *
 * @returns what is stored now, or undefined where the record is gone.
 */
export async function amendRecord(
  sessions: SessionStore,
  stored: StoredSession,
  amend: (record: SessionRecord) => Amendment | Promise<Amendment>,
): Promise<StoredSession | undefined> {
  let current = stored;
  for (let round = 0; round < maxRounds; round += 1) {
    const amendment = await amend(current.record);
    if (amendment === undefined) return current;
    const written = await sessions.update(current, amendment.record, amendment.entries, amendment.guard);
    if (written !== undefined) return written;
    const reread = await sessions.load(current.partition, current.row);
    if (reread === undefined) return undefined;
    current = { ...reread, ...(stored.prunedOn !== undefined && { prunedOn: stored.prunedOn }) };
  }
  throw new Error(
    `The record of session ${stored.record.sessionId} changed ${maxRounds} times while it was being written.`,
  );
}
