import type { TransactionAction } from "@azure/data-tables";
import type { Table } from "./table.ts";

/** The most that Tables take in one transaction. */
export const maxTransactionRows = 100;
/** A transaction's payload may have 4 MiB; headers and encoding need some of it. */
const maxCharacters = 2 * 1024 * 1024;

/** Cuts actions into lists that fit into a transaction each, in their order. */
export function inTransactions(
  actions: readonly TransactionAction[],
  maxRows: number = maxTransactionRows,
): TransactionAction[][] {
  const chunks: TransactionAction[][] = [];
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

/**
 * Removes rows of one partition in as few requests as there can be. One row that is gone already fails a whole
 * transaction; its rows then go one by one, the last one last.
 *
 * @returns the keys of those that were gone already.
 */
export async function removeRows(table: Table, partitionKey: string, rowKeys: readonly string[]): Promise<string[]> {
  const gone: string[] = [];
  const remove = async (rowKey: string) => {
    if ((await table.remove(partitionKey, rowKey)) !== "removed") gone.push(rowKey);
  };
  const deletions = rowKeys.map((rowKey): TransactionAction => ["delete", { partitionKey, rowKey }]);
  for (const chunk of inTransactions(deletions)) {
    if (chunk.length > 1 && (await table.transact(chunk)).conflict === undefined) continue;
    const keys = chunk.flatMap(([, { rowKey }]) => rowKey ?? []);
    await Promise.all(keys.slice(0, -1).map(remove));
    await Promise.all(keys.slice(-1).map(remove));
  }
  return gone;
}
