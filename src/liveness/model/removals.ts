import type { Placed } from "./references.ts";
import type { StoredSession } from "./session.ts";

/** Removes sessions: pruned sessions are hidden from the Face routes, purged ones are deleted. */
export interface Removals {
  /** Marks the pointer as pruned, which hides the session from the Face routes. False if there is no pointer. */
  markPruned(sessionId: string, prunedOn: string): Promise<boolean>;
  /** Writes a pointer that a crash has left unwritten, marked as pruned. */
  restorePointer(stored: StoredSession, prunedOn: string): Promise<void>;
  /** Removes the record, its audit entries, key and pointer, and with the device's last record the guard. */
  purge(stored: StoredSession): Promise<void>;
  /** Removes pointers without records, of a device or to these records. Reads all pointers. */
  dropPointers(of: { deviceCorrelationId: string } | { records: readonly Placed[] }): Promise<void>;
}
