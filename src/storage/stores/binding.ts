import type { TransactionAction } from "@azure/data-tables";
import { compact } from "../../compact.ts";
import type { Devices } from "../../liveness/model/devices.ts";
import type { Admit, GuardEdit } from "../../liveness/model/guard.ts";
import type { StoredSession } from "../../liveness/model/session.ts";
import { keysOnly, readAll } from "../azure/query.ts";
import type { Entity, StorageTables, Table } from "../azure/table.ts";
import { inTransactions, removeRows } from "../azure/transactions.ts";
import {
  auditRows,
  creationKeyRow,
  devicePartition,
  guardRowOf,
  located,
  locationOf,
  userEntryRow,
  userPartition,
} from "../rows/keys.ts";
import { prunedPointer, readSession, writePointer, writeSession } from "../rows/rows.ts";
import { createGuards } from "./guards.ts";

/**
 * Moves a session to the partition of its device, which its record already contains. The new rows are written before the
 * pointers change, and the old rows are removed last; until then the new record contains their location. After a crash,
 * the next reader of either record finishes the move.
 */
export function createBinding(connection: StorageTables): Devices["bindSession"] {
  const { sessions, sessionIds, expiry, users } = connection;
  const guards = createGuards(connection);

  return async (stored, count, refund) => {
    if (!stored.isMoving) return stored;
    const { partition, movedFrom } = locationOf(stored);
    const moved = movedFrom === undefined ? await copy(stored, count, refund) : stored;
    if (moved === undefined) return undefined;
    // An interrupted move may have changed only some of the pointers; the others still lead to the old rows.
    if (movedFrom !== undefined) await repoint(moved);
    await removeMovedRows(sessions, moved, movedFrom ?? partition);
    const { isMoving: _, ...rest } = moved;
    return { ...rest, ...located({ ...locationOf(moved), movedFrom: undefined }) };
  };

  /**
   * Writes the new rows. A record that an earlier move has written stays, because it is newer. Undefined if the
   * session was erased.
   */
  async function copy(stored: StoredSession, count: Admit, refund: GuardEdit): Promise<StoredSession | undefined> {
    const { record, prunedOn } = stored;
    const { sessionId, deviceCorrelationId = "", countedFor } = record;
    const { row, partition: movedFrom, expiryPartition, ...rest } = locationOf(stored);
    const partition = devicePartition(deviceCorrelationId);
    const keyPartition = isKeyed(stored) ? movedFrom : rest.keyPartition;
    const location = { ...rest, partition, row, expiryPartition, movedFrom, keyPartition };
    const audits = await readAudits(sessions, movedFrom, row);
    const copies = audits.map((entity): TransactionAction => {
      const { etag: _etag, timestamp: _timestamp, ...values } = entity;
      return ["upsert", { ...values, partitionKey: partition }, "Replace"];
    });
    for (const chunk of inTransactions(copies)) await sessions.transact(chunk);
    const guardRow = guardRowOf(countedFor);
    const outcome = await guards.writeCounted({
      partition,
      guardRow,
      known: await guards.read(partition, guardRow),
      count,
      action: ["create", writeSession(record, location)],
      resolveConflict: () => load(partition, row),
    });
    const isPointed = await repoint({ record, ...located({ ...location, etag: "*" }) });
    if (!isPointed) {
      // Either the creation crashed before it wrote the pointer, or the session was moved and erased concurrently.
      if ((await sessions.get(movedFrom, row)) !== undefined) {
        const prunedToo = prunedOn === undefined ? {} : prunedPointer(sessionId, prunedOn);
        await sessionIds.put({ ...writePointer(partition, row, record), ...prunedToo });
      } else if ((await sessionIds.get(sessionId, sessionId)) === undefined) {
        await removeRows(sessions, partition, [...audits.map(({ rowKey }) => rowKey), row]);
        if ("written" in outcome) await guards.update(partition, guardRow, refund);
        return undefined;
      }
    }
    const moved = "written" in outcome ? { ...stored, ...located({ ...location, etag: outcome.etag }) } : outcome;
    return compact({ ...moved, prunedOn });
  }

  /** Changes the rows that lead to the session. False if the pointer of the session's id is missing. */
  async function repoint({ record, ref }: StoredSession): Promise<boolean> {
    const { creationId, sessionId, deviceCorrelationId, userCorrelationId } = record;
    const { partition, expiryPartition } = locationOf({ ref });
    const [isPointed] = await Promise.all([
      sessionIds.merge({ partitionKey: sessionId, rowKey: sessionId, partition, deviceCorrelationId }),
      expiry.merge({ partitionKey: expiryPartition, rowKey: creationId, partition }),
      userCorrelationId !== undefined &&
        users.merge({ partitionKey: userPartition(userCorrelationId), rowKey: userEntryRow(record), partition }),
    ]);
    return isPointed;
  }

  async function load(partition: string, row: string): Promise<StoredSession | undefined> {
    const entity = await sessions.get(partition, row);
    return entity && readSession(entity);
  }
}

/** Removes the rows that a move has left in the session's earlier partition, the record last. */
export async function removeMovedRows(sessions: Table, stored: StoredSession, movedFrom: string): Promise<void> {
  const { row, idempotencyRowKey } = locationOf(stored);
  const audits = await readAudits(sessions, movedFrom, row, keysOnly);
  const keyRows = isKeyed(stored) ? [] : [idempotencyRowKey];
  const rowKeys = [...audits.map(({ rowKey }) => rowKey), guardRowOf(stored.record.countedFor), ...keyRows, row];
  await removeRows(sessions, movedFrom, rowKeys);
}

/** Whether the caller sent an idempotency key. Its row is not moved, because repeats of the request read the row there. */
function isKeyed(stored: StoredSession): boolean {
  return locationOf(stored).idempotencyRowKey !== creationKeyRow(stored.record.creationId);
}

/** Rows of a session's audit entries, with the selected properties. Default: all properties. */
export function readAudits(sessions: Table, partition: string, row: string, select?: string[]): Promise<Entity[]> {
  const where = { PartitionKey: partition, RowKey: auditRows(row) };
  return readAll(sessions.query(compact({ where, select })), (entity) => entity);
}
