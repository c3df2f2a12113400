import type { Placed } from "./references.ts";
import type { SessionRecord, StoredSession } from "./session.ts";

/** Removes sessions: hidden ones stay in storage, purged ones do not. */
export interface Removals {
  /** Hides the session from the Face routes before its retention ends, by `prunedOn` (RFC 3339) in its pointer. */
  hide(sessionId: string, prunedOn: string): Promise<void>;
  /** Writes the pointer if it is missing because of a crash. True if it was missing. */
  restorePointer(stored: StoredSession): Promise<boolean>;
  /**
   * Removes the record, its audit entries, events, key and pointer, and with the device's last record the guard. Returns the
   * record as it was removed.
   */
  purge(stored: StoredSession): Promise<SessionRecord>;
  /** Removes pointers without records, of a device or to these records. Reads all pointers. */
  dropPointers(of: { deviceCorrelationId: string } | { records: readonly Placed[] }): Promise<void>;
}
