import type { Placed } from "./references.ts";
import type { StoredSession } from "./session.ts";

/** How sessions end in storage: pruned sessions are hidden from the dialects, purged ones are gone. */
export interface Removals {
  /** Marks the pointer as pruned, so that the dialects return 404. False if there is no pointer. */
  markPruned(sessionId: string, prunedOn: string): Promise<boolean>;
  /** Writes a pointer that a crash has left unwritten, marked as pruned. */
  restorePointer(stored: StoredSession, prunedOn: string): Promise<void>;
  /** Removes the record, its audit entries, key row and pointer, and with the device's last record the guard. */
  purge(stored: StoredSession): Promise<void>;
  /** Removes pointers that creations left without their records: of a device, or to these records. Reads all pointers. */
  dropPointers(of: { deviceCorrelationId: string } | { records: readonly Placed[] }): Promise<void>;
}
