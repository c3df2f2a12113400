import type { TableEntity } from "@azure/data-tables";
import type { Query } from "../azure/query.ts";
import type { Table } from "../azure/table.ts";
import { putRows, removeRows } from "../azure/transactions.ts";
import { duePartitions, type RowKeys } from "../rows/keys.ts";

/** Rows of the table `expiry`, which are due at a time. Rows of one bucket share as few transactions as possible. */
export interface DueRows<Key, Entry extends Key> {
  /** Inserts or replaces rows. */
  put(entries: readonly Entry[]): Promise<void>;
  /** Writes each `next`, then removes the due rows. Returns the moves whose due row was already gone. */
  move<T extends { due: Entry; next?: Entry }>(moves: readonly T[]): Promise<T[]>;
  /** Removes rows. Returns those that were already gone. */
  remove<T extends Key>(entries: readonly T[]): Promise<T[]>;
}

export function createDueRows<Key, Entry extends Key>(
  expiry: Table,
  keysOf: (key: Key) => RowKeys,
  write: (entry: Entry) => TableEntity,
): DueRows<Key, Entry> {
  const put = (entries: readonly Entry[]) => putRows(expiry, entries.map(write));
  return { put, move, remove };

  async function move<T extends { due: Entry; next?: Entry }>(moves: readonly T[]): Promise<T[]> {
    await put(moves.flatMap(({ next }) => next ?? []));
    const leaving = moves.filter(
      ({ due, next }) => next === undefined || keysOf(due).partition !== keysOf(next).partition,
    );
    const gone = new Set<Entry>(await remove(leaving.map(({ due }) => due)));
    return leaving.filter(({ due }) => gone.has(due));
  }

  async function remove<T extends Key>(entries: readonly T[]): Promise<T[]> {
    const gone = await Promise.all(
      Map.groupBy(entries, (entry) => keysOf(entry).partition)
        .entries()
        .map(async ([partition, bucket]) => {
          const missing = await removeRows(expiry, partition, [...new Set(bucket.map((entry) => keysOf(entry).row))]);
          return bucket.filter((entry) => missing.includes(keysOf(entry).row));
        }),
    );
    return gone.flat();
  }
}

/** Rows of a shard that are due at `now`. Times in this format sort as text. */
export function dueAt(shard: number, now: string): Query {
  const { from, through } = duePartitions(shard, now);
  return {
    where: { PartitionKey: { from, through } },
    anyOf: [{ PartitionKey: { before: through } }, { dueOn: { through: now } }],
  };
}
