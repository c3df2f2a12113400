import type { TransactionAction } from "@azure/data-tables";
import { ApiError } from "../errors.ts";
import type { SessionStore } from "../liveness/ports.ts";
import type { StoredSession } from "../liveness/session.ts";
import type { StorageConnection } from "./connect.ts";
import { auditRows, guardKeyAndSessionRows, guardRow } from "./keys.ts";
import { odata } from "./odata.ts";
import { readKey } from "./small-rows.ts";
import { inTransactions } from "./transactions.ts";

/** Rounds in which others may get in between before the caller is asked to come again. */
const maxRounds = 10;

/** The end of a record: all its rows go, its own last, so that a purge that was cut short is found and done again. */
export function createPurge({ sessions, sessionIds }: StorageConnection): Pick<SessionStore, "purge" | "dropKey"> {
  return { purge, dropKey };

  async function purge(stored: StoredSession): Promise<void> {
    const { partition, row, record } = stored;
    for (let round = 1; round <= maxRounds; round++) {
      const [neighbours, key, audits] = await Promise.all([
        readNeighbours(partition),
        sessions.get(partition, record.idempotencyRowKey),
        readAuditRows(partition, row),
      ]);
      // A later creation may have taken over the key, and a creation under way holds one of its own: those stay.
      const ourKey = key !== undefined && readKey(key).creationId === record.creationId ? key : undefined;
      const others = neighbours.filter(
        ({ rowKey }) => rowKey !== guardRow && rowKey !== row && rowKey !== ourKey?.rowKey,
      );
      const guard = others.length === 0 ? neighbours.find(({ rowKey }) => rowKey === guardRow) : undefined;
      // Conditional deletes go one by one, as a transaction cannot hold them; an ETag that no longer fits means that a
      // creation came in between, and it wins.
      const [keyRemoved] = await Promise.all([
        ourKey && sessions.remove(partition, ourKey.rowKey, ourKey.etag),
        guard && sessions.remove(partition, guardRow, guard.etag),
        sessionIds.remove(record.sessionId, record.sessionId),
      ]);
      if (keyRemoved === "changed") continue;
      if (await removeRows(partition, [...audits, row])) return;
    }
    throw new ApiError(503, "ServerBusy", "The session is being changed by others at once.", { retryAfter: "1" });
  }

  async function dropKey(partition: string, idempotencyRowKey: string, creationId: string): Promise<void> {
    const key = await sessions.get(partition, idempotencyRowKey);
    if (key !== undefined && readKey(key).creationId === creationId) {
      await sessions.remove(partition, idempotencyRowKey, key.etag);
    }
    // Where that was all the device had, its guard counts nothing any more.
    const [guard, ...others] = await readNeighbours(partition);
    if (guard?.rowKey === guardRow && others.length === 0) await sessions.remove(partition, guardRow, guard.etag);
  }

  /** The first rows that tell whether the device has more than one session: enough are four. */
  async function readNeighbours(partition: string): Promise<{ rowKey: string; etag: string }[]> {
    const { from, before } = guardKeyAndSessionRows;
    const filter = odata`PartitionKey eq ${partition} and RowKey ge ${from} and RowKey lt ${before}`;
    const rows = [];
    for await (const { rowKey, etag } of sessions.query({ filter, select: keysOnly, pageSize: 4 })) {
      rows.push({ rowKey, etag });
      if (rows.length === 4) break;
    }
    return rows;
  }

  async function readAuditRows(partition: string, row: string): Promise<string[]> {
    const { from, before } = auditRows(row);
    const filter = odata`PartitionKey eq ${partition} and RowKey ge ${from} and RowKey lt ${before}`;
    const rowKeys: string[] = [];
    for await (const { rowKey } of sessions.query({ filter, select: keysOnly })) rowKeys.push(rowKey);
    return rowKeys;
  }

  /** False where some of the rows were gone already. */
  async function removeRows(partitionKey: string, rowKeys: readonly string[]): Promise<boolean> {
    const deletions = rowKeys.map((rowKey): TransactionAction => ["delete", { partitionKey, rowKey }]);
    for (const chunk of inTransactions(deletions)) {
      const written = await sessions.transact(chunk);
      if (written.conflict === undefined) continue;
      if (chunk.length > 1) return false;
    }
    return true;
  }
}

const keysOnly = ["PartitionKey", "RowKey"];
