import type { SessionRef } from "../../face/client/face-service.ts";
import type { Placed } from "./references.ts";

/** The parts of the schedules, which are visited concurrently: 0 to 15. */
export const shards: readonly number[] = Array.from({ length: 16 }, (_, shard) => shard);

export type Phase = "collect" | "prune" | "purge";

/** Identifies a schedule entry. */
export type EntryKey = Pick<ScheduleEntry, "creationId" | "dueOn">;

/** A schedule entry: a session, and when the timer visits it. */
export interface ScheduleEntry extends Placed {
  phase: Phase;
  /** RFC 3339. */
  dueOn: string;
  /** Present once the record has been read. In the phase `prune` it means that the outcome is recorded. */
  session?: SettledSession;
  /** The user whose entry names the creation. */
  userCorrelationId?: string;
  /** Successive runs of the timer in which the session failed. */
  failures?: number;
}

/** A due entry that cannot be read. */
export interface UnreadableEntry {
  creationId: string;
  cause: unknown;
}

/** The facts of a session with which the timer prunes it without its record, and finds it after a move. */
export interface SettledSession extends SessionRef {
  /** The session's image was uploaded with its creation, and is removed with the session. */
  uploaded: boolean;
  /** In the phase `collect` of a decided session: its recorded attempts, so that the timer need not read the record. */
  recorded?: RecordedAttempts;
}

export interface RecordedAttempts {
  attempts: number;
  /** No further attempt is possible. */
  isComplete: boolean;
  /** Abuse monitoring has flagged an attempt. */
  isFlagged: boolean;
}

/** The timer's schedule of sessions. */
export interface Schedule {
  /** Inserts or replaces entries. */
  put(...entries: readonly ScheduleEntry[]): Promise<void>;
  /**
   * Writes each `next`, then removes the due entries. After an interruption both exist, and the due one is repeated.
   * Returns the moves whose due entry was already gone.
   */
  move<T extends Move>(moves: readonly T[]): Promise<T[]>;
  /** Entries of one shard (0 to 15) that are due at `now`, oldest first to within five minutes, read page by page. */
  dueEntries(shard: number, now: string): AsyncIterable<ScheduleEntry | UnreadableEntry>;
  /** The current entry; undefined if it is gone. */
  get(entry: EntryKey): Promise<ScheduleEntry | undefined>;
  /**
   * The due time of the oldest entry, of a session or an event, that is due at `now`; undefined if there is none.
   *
   * @param listed ids of events that are in the lists: then only entries count that may lead to an outcome which is not.
   */
  oldestDue(now: string, listed?: ReadonlySet<string>): Promise<string | undefined>;
  /** Those of the creations that have no entry due at `until` or earlier. */
  missing(creationIds: readonly string[], until: string): Promise<Set<string>>;
  /** Removes entries. Returns those that were already gone. */
  remove(entries: readonly EntryKey[]): Promise<EntryKey[]>;
  /** Removes all entries of the creation. Reads its whole shard. */
  removeAll(creationId: string): Promise<void>;
}

/** An entry that was due, and the entry that follows it, if any. */
export interface Move {
  due: ScheduleEntry;
  next?: ScheduleEntry;
}
