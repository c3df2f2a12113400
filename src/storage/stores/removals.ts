import type { Placed } from "../../liveness/model/references.ts";
import type { Removals } from "../../liveness/model/removals.ts";
import type { SessionRecord, StoredSession } from "../../liveness/model/session.ts";
import { type Conditions, keysOnly } from "../azure/query.ts";
import type { Entity, StorageTables } from "../azure/table.ts";
import { removeKeys } from "../azure/transactions.ts";
import { eventKeys } from "../rows/event-rows.ts";
import { devicePartition, locationOf, recordKeys } from "../rows/keys.ts";
import { prunedPointer, readSession, writePointer } from "../rows/rows.ts";
import { readAudits, removeMovedRows } from "./binding.ts";
import type { WriteCache } from "./creations.ts";
import { ownKey, readIdleGuard, removeIdleGuard } from "./guards.ts";

/** @param cache sessions that this process has committed. */
export function createRemovals({ sessions, sessionIds }: StorageTables, cache: WriteCache<StoredSession>): Removals {
  return {
    async hide(sessionId, prunedOn) {
      await sessionIds.merge(prunedPointer(sessionId, prunedOn));
    },
    async restorePointer(stored) {
      const { partition, row } = locationOf(stored);
      const written = await sessionIds.transact([["create", writePointer(partition, row, stored.record)]]);
      return written.conflict === undefined;
    },
    purge,
    dropPointers,
  };

  /** The record's own row is removed last, so that an interrupted purge is found and repeated. */
  async function purge(stored: StoredSession): Promise<SessionRecord> {
    const { creationId, sessionId, countedFor } = stored.record;
    const { partition, row, idempotencyRowKey, keyPartition = partition, movedFrom } = locationOf(stored);
    cache.delete(sessionId);
    const removing = [row, ...(keyPartition === partition ? [idempotencyRowKey] : [])];
    const [idle, key] = await Promise.all([
      readIdleGuard(sessions, partition, countedFor, removing),
      ownKey(sessions, keyPartition, idempotencyRowKey, creationId),
    ]);
    // A key that a later creation has taken over stays, and with it the guard.
    const guard = key === undefined && keyPartition === partition ? undefined : idle;
    // Conditional deletes are sent one by one, because a transaction of `Table` deletes unconditionally. After an ETag
    // conflict, the rows of the concurrent creation stay.
    await Promise.all([
      key && sessions.remove(keyPartition, key.rowKey, key.etag),
      guard && sessions.remove(partition, guard.rowKey, guard.etag),
      sessionIds.remove(sessionId, sessionId),
    ]);
    if (movedFrom !== undefined) await removeMovedRows(sessions, stored, movedFrom);
    const record = await removeRecord(stored);
    // The sessions for which the guard was kept may have been purged concurrently.
    if (guard === undefined) await removeIdleGuard(sessions, partition, countedFor);
    if (keyPartition !== partition) await removeIdleGuard(sessions, keyPartition, countedFor);
    return record;
  }

  /** Removes the record with its audit entries and events, also those of an outcome that is recorded meanwhile. */
  async function removeRecord(stored: StoredSession): Promise<SessionRecord> {
    const { partition, row } = locationOf(stored);
    let { record } = stored;
    for (;;) {
      const [entity, audits] = await Promise.all([
        sessions.get(partition, row),
        readAudits(sessions, partition, row, keysOnly),
      ]);
      if (entity !== undefined) ({ record } = readSession(entity));
      // Events that are older than a move to the device are in the earlier partition.
      const entries = audits.map(({ rowKey }) => ({ partition, row: rowKey }));
      await removeKeys(sessions, [...entries, ...(record.events ?? []).map(eventKeys)]);
      if (entity === undefined || (await sessions.remove(partition, row, entity.etag)) !== "changed") return record;
    }
  }

  async function dropPointers(of: { deviceCorrelationId: string } | { records: readonly Placed[] }): Promise<void> {
    if ("deviceCorrelationId" in of) {
      await dropWhere({ partition: devicePartition(of.deviceCorrelationId) }, () => true);
      return;
    }
    const places = of.records.map(recordKeys);
    await dropWhere(conditionsOf(of.records), (pointer) =>
      places.some(({ partition, row }) => partition === pointer.partition && row === pointer.row),
    );
  }

  async function dropWhere(where: Conditions, isConcerned: (pointer: Entity) => boolean): Promise<void> {
    for await (const pointer of sessionIds.query({ where, select: [...keysOnly, "partition", "row"] })) {
      if (isConcerned(pointer)) await sessionIds.remove(pointer.partitionKey, pointer.rowKey);
    }
  }
}

/**
 * Conditions that the pointers to these records meet, and few other pointers. One condition per record is not possible, as
 * a query allows at most fifteen comparisons.
 */
function conditionsOf(records: readonly Placed[]): Conditions {
  const [only, ...others] = records;
  if (only !== undefined && others.length === 0) return { ...recordKeys(only) };
  const times = records.map(({ createdOn }) => createdOn).sort();
  const [from = "", through = from] = [times[0], times.at(-1)];
  return { createdOn: { from, through } };
}
