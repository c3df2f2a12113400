import type { DueRow } from "../../../src/liveness/calendar.ts";
import type { CreationKey, Guard, SessionPointer } from "../../../src/liveness/ports.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "../../../src/liveness/session.ts";
import { auditRow } from "../../../src/storage/keys.ts";
import { createRows, type Rows } from "./rows.ts";

/** What the fake tables hold, by kind of row, under the keys that the real ones have. */
export interface Tables {
  records: Rows<SessionRecord>;
  entries: Rows<AuditRecord>;
  guards: Rows<Guard>;
  keys: Rows<CreationKey>;
  pointers: Rows<SessionPointer & { partition: string; row: string; prunedOn?: string }>;
  expiry: Rows<DueRow>;
  /** Session image → its session. */
  imageLinks: Rows<string>;
  /** Held images by the device to which they are bound. */
  boundImages: Rows<string>;
}

export function createTables(): Tables {
  return {
    records: createRows(),
    entries: createRows(),
    guards: createRows(),
    keys: createRows(),
    pointers: createRows(),
    expiry: createRows(),
    imageLinks: createRows(),
    boundImages: createRows(),
  };
}

export function loadSession({ records }: Tables, partition: string, row: string): StoredSession | undefined {
  const found = records.get(partition, row);
  return found && { record: found.value, partition, row, etag: found.etag };
}

/** Rows of a session's audit entries, ascending. */
export function entryRows({ entries }: Tables, partition: string, row: string): string[] {
  const prefix = auditRow(row, "0").slice(0, -19);
  return entries.rowKeys(partition).filter((key) => key.startsWith(prefix));
}

/** Writes the pointer to a session's record. */
export function pointTo({ pointers }: Tables, partition: string, row: string, record: SessionRecord): void {
  const { sessionId, kind, owner, deviceCorrelationId, createdOn, startedOn, ttlSeconds } = record;
  pointers.put(sessionId, sessionId, {
    ...{ partition, row, sessionId, kind, createdOn, ttlSeconds },
    ...(owner !== undefined && { owner }),
    ...(deviceCorrelationId !== undefined && { deviceCorrelationId }),
    ...(startedOn !== undefined && { startedOn }),
  });
}
