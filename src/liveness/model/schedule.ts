import type { SessionRef } from "../../face/client/face-service.ts";
import type { Placed } from "./references.ts";

export type Phase = "collect" | "prune" | "purge";

/** Identifies a row of the schedule. */
export type DueKey = Pick<DueRow, "creationId" | "dueOn">;

/** A session, and when the timer visits it. */
export interface DueRow extends Placed {
  phase: Phase;
  /** RFC 3339. */
  dueOn: string;
  /** Present once the session has been read. With the phase `prune`, its outcome is recorded. */
  session?: SettledSession;
  /** The user whose entry names the creation. */
  userCorrelationId?: string;
  /** Runs of the timer in a row in which it failed. */
  failures?: number;
}

/** A due row that cannot be read. */
export interface UnreadableRow {
  creationId: string;
  cause: unknown;
}

/** What pruning needs of a session, so that it need not be read again; and what finds it after a move. */
export interface SettledSession extends SessionRef {
  /** Its image was uploaded with its creation, and is removed with it. */
  uploaded: boolean;
}

/** Which session the timer visits when. */
export interface Schedule {
  /** Inserts or replaces rows. */
  put(...rows: readonly DueRow[]): Promise<void>;
  /**
   * Writes each `next`, then removes the rows that were due. Stopped in between, both are there, and the old one is
   * repeated. Returns the moves whose old row was already gone.
   */
  move<T extends Move>(moves: readonly T[]): Promise<T[]>;
  /** Rows of one shard (0 to 15) that are due at `now`, oldest first to within five minutes, read page by page. */
  dueRows(shard: number, now: string): AsyncIterable<DueRow | UnreadableRow>;
  /** The current row; undefined if it is gone. */
  get(row: DueKey): Promise<DueRow | undefined>;
  /** When the oldest of the rows that are due at `now` was due; undefined if none is. */
  oldestDue(now: string): Promise<string | undefined>;
  /** Which of the creations have no row that is due until then. */
  missing(creationIds: readonly string[], until: string): Promise<Set<string>>;
  /** Removes rows. Returns those that were already gone. */
  remove(rows: readonly DueKey[]): Promise<DueKey[]>;
  /** Removes all rows of the creation. Reads its whole shard. */
  removeAll(creationId: string): Promise<void>;
}

/** A row that was due, and the row that follows it, if any. */
export interface Move {
  due: DueRow;
  next?: DueRow;
}
