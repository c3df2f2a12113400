import type { TableEntity, TransactionAction } from "@azure/data-tables";
import { keysOnly, readAll } from "./query.ts";
import type { Table } from "./table.ts";

/** The limit of Azure Tables. */
export const maxTransactionRows = 100;
/** A transaction's payload may have 4 MiB, including headers and encoding. */
const maxCharacters = 2 * 1024 * 1024;

/** Splits actions into lists, in the same order, that each fit into one transaction. */
export function inTransactions<T extends TransactionAction>(
  actions: readonly T[],
  maxRows: number = maxTransactionRows,
): T[][] {
  const chunks: T[][] = [];
  let size = 0;
  for (const action of actions) {
    const length = JSON.stringify(action).length;
    const chunk = chunks.at(-1);
    if (chunk === undefined || chunk.length >= maxRows || size + length > maxCharacters) {
      chunks.push([action]);
      size = length;
    } else {
      chunk.push(action);
      size += length;
    }
  }
  return chunks;
}

/** Concurrent single deletions: two runs of the timer may remove the same thousands of rows. */
const maxSingles = 4;

/**
 * Removes rows of one partition in as few requests as possible. A missing row fails the whole transaction; the existing
 * rows are then read and removed in one transaction. Only if that fails too, because of a concurrent removal, the rows are
 * removed one by one, the last one last.
 *
 * @returns the keys of the rows that were missing.
 */
export async function removeRows(table: Table, partitionKey: string, rowKeys: readonly string[]): Promise<string[]> {
  const gone: string[] = [];
  const removeAll = async (deletions: Deletion[]) =>
    deletions.length > 1 && (await table.transact(deletions)).conflict === undefined;
  const removeOne = async (rowKey: string) => {
    if ((await table.remove(partitionKey, rowKey)) !== "removed") gone.push(rowKey);
  };
  for (const chunk of inTransactions(rowKeys.map((rowKey): Deletion => ["delete", { partitionKey, rowKey }]))) {
    if (await removeAll(chunk)) continue;
    const keys = chunk.map(([, { rowKey }]) => rowKey);
    const existing = chunk.length > 1 ? await existingKeys(table, partitionKey, keys) : new Set(keys);
    gone.push(...keys.filter((rowKey) => !existing.has(rowKey)));
    if (await removeAll(chunk.filter(([, { rowKey }]) => existing.has(rowKey)))) continue;
    const left = keys.filter((rowKey) => existing.has(rowKey));
    const queue = left.slice(0, -1).values();
    const worker = async () => {
      for (const rowKey of queue) await removeOne(rowKey);
    };
    await Promise.all(Array.from({ length: maxSingles }, worker));
    await Promise.all(left.slice(-1).map(removeOne));
  }
  return gone;
}

/** Removes rows of any partitions, like `removeRows`. Returns the number of rows that existed. */
export async function removeKeys(table: Table, keys: readonly { partition: string; row: string }[]): Promise<number> {
  let removed = 0;
  for (const [partition, inPartition] of Map.groupBy(keys, (key) => key.partition)) {
    const rows = new Set(inPartition.map(({ row }) => row));
    removed += rows.size - (await removeRows(table, partition, [...rows])).length;
  }
  return removed;
}

/**
 * Inserts or replaces rows of any partitions in as few requests as possible. Of several entities with the same keys, the last
 * one wins.
 */
export async function putRows(table: Table, entities: readonly TableEntity[]): Promise<void> {
  const transact = async (actions: TransactionAction[]) => {
    const { conflict } = await table.transact(actions);
    if (conflict !== undefined) throw new Error(`Rows could not be written to ${table.name}: ${conflict.reason}`);
  };
  const putAll = async (inPartition: readonly TableEntity[]) => {
    const rows = [...new Map(inPartition.map((entity) => [entity.rowKey, entity])).values()];
    const [only] = rows;
    if (only !== undefined && rows.length === 1) await table.put(only);
    else await Promise.all(inTransactions(rows.map((row) => ["upsert", row, "Replace"])).map(transact));
  };
  await Promise.all(
    Map.groupBy(entities, ({ partitionKey }) => partitionKey)
      .values()
      .map(putAll),
  );
}

type Deletion = ["delete", { partitionKey: string; rowKey: string }];

async function existingKeys(table: Table, partitionKey: string, rowKeys: readonly string[]): Promise<Set<string>> {
  const sorted = rowKeys.toSorted();
  const [first = "", last = first] = [sorted[0], sorted.at(-1)];
  const where = { PartitionKey: partitionKey, RowKey: { from: first, through: last } };
  return new Set(await readAll(table.query({ where, select: keysOnly }), ({ rowKey }) => rowKey));
}
