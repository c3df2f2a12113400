import type { TransactionAction } from "@azure/data-tables";

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
