import { isDeepStrictEqual } from "node:util";
import type { TransactionAction } from "@azure/data-tables";
import { serverBusy } from "../../api-errors.ts";
import type { CountedFor } from "../../liveness/model/caller.ts";
import type { Admit, Guard, GuardEdit } from "../../liveness/model/guard.ts";
import { backoff } from "../../retry.ts";
import { keysOnly } from "../azure/query.ts";
import type { Entity, StorageTables, Table } from "../azure/table.ts";
import { guardRowOf, keyAndSessionRows } from "../rows/keys.ts";
import { readGuard, readKey, writeGuard } from "../rows/rows.ts";

/** Most attempts to write a guard. Whenever one fails, the attempt of a concurrent writer has succeeded. */
const maxAttempts = 50;
/** Bounds of the pause between two attempts. */
const firstPauseMs = 5;
const maxPauseMs = 200;

export interface KnownGuard {
  guard: Guard;
  etag: string;
}

/** The guards of devices and of principals. Their writes are conditional and repeated after concurrent writes. */
export interface Guards {
  read(partition: string, row: string): Promise<KnownGuard | undefined>;
  /**
   * Changes a guard, or removes it if it counts nothing any more. Nothing is written if `change` returns undefined. Throws
   * `ApiError` 503 after too many attempts.
   */
  update(partition: string, row: string, change: GuardEdit): Promise<void>;
  /** Writes another row of the partition and the guard in one transaction. Throws `ApiError` 503 after too many attempts. */
  writeCounted<T extends object>(write: CountedWrite<T>): Promise<{ etag: string; written: KnownGuard } | T>;
}

export interface CountedWrite<T> {
  partition: string;
  guardRow: string;
  /** The guard that the first attempt replaces; undefined: the first attempt creates the guard. */
  known: KnownGuard | undefined;
  /** Returns the new guard, or throws to refuse the write. */
  count: Admit;
  /** Writes the row that is counted. */
  action: TransactionAction;
  /**
   * Called after a conflict. Returns the result if the other row caused the conflict, or undefined if only the guard did:
   * then the write is repeated.
   *
   * @param repeated the transaction was sent more than once: an earlier attempt of it may be the cause.
   */
  resolveConflict(repeated: boolean): Promise<T | undefined>;
}

export function createGuards({ sessions, retryPolicy }: StorageTables): Guards {
  return { read, update, writeCounted };

  async function read(partition: string, row: string): Promise<KnownGuard | undefined> {
    const entity = await sessions.get(partition, row);
    return entity && { guard: readGuard(entity), etag: entity.etag };
  }

  async function pause(attempt: number): Promise<void> {
    const { random } = retryPolicy;
    await retryPolicy.sleep(
      backoff(attempt, { firstDelayMs: firstPauseMs, maxDelayMs: maxPauseMs, random }) * random(),
    );
  }

  async function update(partition: string, row: string, change: GuardEdit): Promise<void> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const known = await read(partition, row);
      const changed = change(known?.guard);
      if (changed === undefined || (await write(partition, row, changed, known?.etag))) return;
      await pause(attempt);
    }
    throw serverBusy("Too many requests of this caller are in progress.");
  }

  async function writeCounted<T extends object>({
    partition,
    guardRow,
    known: assumed,
    count,
    action,
    resolveConflict,
  }: CountedWrite<T>): Promise<{ etag: string; written: KnownGuard } | T> {
    let known = assumed;
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const guard = count(known?.guard);
      const entity = writeGuard(partition, guardRow, guard);
      const outcome = await sessions.transact([
        action,
        known === undefined ? ["create", entity] : ["update", entity, "Replace", { etag: known.etag }],
      ]);
      if (outcome.conflict === undefined) {
        const [etag = "*", guardEtag = "*"] = outcome.etags;
        return { etag, written: { guard, etag: guardEtag } };
      }
      if (attempt > 1) await pause(attempt - 1);
      const [resolved, current] = await Promise.all([
        resolveConflict(outcome.conflict.repeated),
        read(partition, guardRow),
      ]);
      if (resolved !== undefined) return resolved;
      known = current;
    }
    throw serverBusy("Too many sessions of this device are being created concurrently.");
  }

  /** False after a concurrent write. */
  async function write(partition: string, row: string, guard: Guard, etag: string | undefined): Promise<boolean> {
    if (etag !== undefined && countsNothing(guard)) return (await sessions.remove(partition, row, etag)) !== "changed";
    const entity = writeGuard(partition, row, guard);
    const { conflict } = await sessions.transact([
      etag === undefined ? ["create", entity] : ["update", entity, "Replace", { etag }],
    ]);
    if (conflict === undefined || !conflict.repeated) return conflict === undefined;
    // An earlier attempt may have succeeded although its response was lost: then the row contains this guard.
    return isDeepStrictEqual((await read(partition, row))?.guard, guard);
  }
}

function countsNothing({ recent, rejectionsInARow, lockedUntil }: Guard): boolean {
  return recent.length === 0 && rejectionsInARow === 0 && lockedUntil === undefined;
}

/** The key row, unless a later creation has taken it over. */
export async function ownKey(
  sessions: Table,
  partition: string,
  rowKey: string,
  creationId: string,
): Promise<Entity | undefined> {
  const key = await sessions.get(partition, rowKey);
  return key !== undefined && readKey(key).creationId === creationId ? key : undefined;
}

/** Removes the guard if no key and no session is left that the guard counts. */
export async function removeIdleGuard(sessions: Table, partition: string, countedFor: CountedFor): Promise<void> {
  const guard = await readIdleGuard(sessions, partition, countedFor, []);
  if (guard !== undefined) await sessions.remove(partition, guard.rowKey, guard.etag);
}

/**
 * The guard, if no key and no session is left that the guard counts, apart from the rows in `removing`. The guard is read
 * before the keys and sessions: a concurrent creation then changes the ETag of the guard and so prevents its removal.
 */
export async function readIdleGuard(
  sessions: Table,
  partition: string,
  countedFor: CountedFor,
  removing: readonly string[],
): Promise<Entity | undefined> {
  const guard = await sessions.get(partition, guardRowOf(countedFor));
  if (guard === undefined) return undefined;
  const where = { PartitionKey: partition, RowKey: keyAndSessionRows, countedFor };
  for await (const { rowKey } of sessions.query({ where, select: keysOnly, pageSize: removing.length + 1 })) {
    if (!removing.includes(rowKey)) return undefined;
  }
  return guard;
}
