import type { SessionRef } from "./ports.ts";

export type Phase = "collect" | "prune" | "purge";

/** Where a row of `expiry` stands. */
export type DuePlace = Pick<DueRow, "expiryPartition" | "creationId">;

/** A row of `expiry`: a session to look at when its time has come. */
export interface DueRow {
  creationId: string;
  phase: Phase;
  /** When it is due, RFC 3339: buckets are five minutes wide, and nothing is done before its time. */
  dueOn: string;
  /** Present once the session has been read. In a row that says `prune`, its outcome is recorded too. */
  session?: SettledSession;
  /** Runs of the timer in a row in which it failed. */
  failures?: number;
  /** Where the session's row is, or will be. */
  partition: string;
  row: string;
  idempotencyRowKey: string;
  /** `{shard}_{bucket}`: made by `expiryPartition`. */
  expiryPartition: string;
}

/** A row of `expiry` that is due and makes no sense. */
export interface UnreadableRow extends DuePlace {
  cause: unknown;
}

/** What it takes to prune a session without reading it again, or to find it wherever it was moved. */
export interface SettledSession extends SessionRef {
  /** Its image came with its creation, and goes with it. */
  uploaded: boolean;
}

/** What is due when: the table `expiry`. */
export interface Schedule {
  /** Inserts or replaces expiry rows, in as few requests as there are buckets. */
  schedule(...rows: readonly DueRow[]): Promise<void>;
  /** Partition of `expiry` for a time: the 5-minute bucket in which it falls, in the creation's shard. */
  expiryPartition(creationId: string, dueOn: string): string;
  /** Rows of one shard (0 to 15) that are due at `now`, oldest bucket first, read page by page. */
  dueRows(shard: number, now: string): AsyncIterable<DueRow | UnreadableRow>;
  /** The row as it is now; undefined where it is gone. */
  dueRow(row: DuePlace): Promise<DueRow | undefined>;
  /** When the oldest row is due of all that are due at `now`; undefined where none is. */
  oldestDue(now: string): Promise<string | undefined>;
  /** Those of the creations that no row is due for by that time. */
  unscheduled(creationIds: readonly string[], until: string): Promise<Set<string>>;
  /** Removes rows that are done with, and answers those of them that were gone already. */
  unschedule(rows: readonly DuePlace[]): Promise<DuePlace[]>;
  /** Removes whatever rows the creation has, wherever they stand. Reads its whole shard. */
  dropSchedule(creationId: string): Promise<void>;
}
