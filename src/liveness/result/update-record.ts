import { serverBusy } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { StoredEvent } from "../model/events.ts";
import type { GuardChange } from "../model/guard.ts";
import type { Version } from "../model/references.ts";
import { type AuditRecord, placed, type SessionRecord, type StoredSession } from "../model/session.ts";
import type { Sessions } from "../model/sessions.ts";

/** The new record, and what to write with it. Undefined: no change. */
export type RecordUpdate =
  | {
      record: SessionRecord;
      entries?: readonly AuditRecord[];
      guard?: { change: GuardChange; version?: Version };
      events?: readonly StoredEvent[];
    }
  | undefined;

/** Concurrent writes of the record or of its guard cause retries. In every round, one of the concurrent writes succeeds. */
const maxRounds = 50;

/**
 * Changes the stored record, and computes the change again after each concurrent write.
 *
 * @returns the stored session; undefined if the record is gone.
 * @throws ApiError `ServerBusy` after too many concurrent writes.
 */
export async function updateRecord(
  sessions: Sessions,
  stored: StoredSession,
  amend: (record: SessionRecord) => RecordUpdate | Promise<RecordUpdate>,
): Promise<StoredSession | undefined> {
  let current = stored;
  for (let round = 0; round < maxRounds; round += 1) {
    const amendment = await amend(current.record);
    if (amendment === undefined && !current.isCached) return current;
    const { record, entries, guard, events } = amendment ?? {};
    const written = record && (await sessions.update(current, record, entries, guard, events));
    // A write succeeds only on the current version, which confirms a record from the cache.
    if (written !== undefined) return confirmed(written);
    const reread = await sessions.load(placed(current));
    if (reread === undefined) return undefined;
    current = compact({ ...reread, prunedOn: stored.prunedOn });
  }
  throw serverBusy(`The record changed ${maxRounds} times while it was being written.`);
}

function confirmed({ isCached: _, ...stored }: StoredSession): StoredSession {
  return stored;
}
