import type { TransactionAction } from "@azure/data-tables";
import type { CreationKey, DeviceContents, DeviceStore, Reserved } from "../liveness/ports.ts";
import type { SessionRecord, StoredSession } from "../liveness/session.ts";
import type { StorageConnection } from "./connect.ts";
import { createGuards } from "./guards.ts";
import {
  auditRows,
  boundImageRow,
  devicePartition,
  guardRow,
  imageLinkKey,
  imageOfRow,
  isKeyRow,
  isSessionRow,
  ownerPartition,
  sessionCreatedOn,
  sessionRowOfAudit,
  sessionRows,
} from "./keys.ts";
import { odata } from "./odata.ts";
import { readSession, writeSession } from "./session-row.ts";
import { readKey, readPointer, writeKey, writePointer } from "./small-rows.ts";
import { inTransactions, removeRows } from "./transactions.ts";

/** What concerns a device, or a principal, as a whole. */
export function createDeviceStore(connection: StorageConnection): DeviceStore {
  const { sessions, sessionIds, expiry } = connection;
  const guards = createGuards(connection);
  return {
    takeOver,
    sessionOf,
    amendOwner: (owner, change) => guards.amend(ownerPartition(owner), change),
    guard: guards.read,
    clearLockout: (deviceCorrelationId) =>
      guards.amend(
        devicePartition(deviceCorrelationId),
        (known) => known && { recent: known.recent, rejectionsInARow: 0 },
      ),
    bindSession,
    async linkImage(sessionImageId, sessionId) {
      const key = imageLinkKey(sessionImageId);
      await sessionIds.put({ partitionKey: key, rowKey: key, kind: "sessionImage", sessionId });
    },
    async sessionOfImage(sessionImageId) {
      const key = imageLinkKey(sessionImageId);
      const sessionId = (await sessionIds.get(key, key))?.sessionId;
      return typeof sessionId === "string" ? sessionId : undefined;
    },
    async unlinkImage(sessionImageId) {
      const key = imageLinkKey(sessionImageId);
      await sessionIds.remove(key, key);
    },
    bindImage(deviceCorrelationId, referenceImageId) {
      const partitionKey = devicePartition(deviceCorrelationId);
      return sessions.put({ partitionKey, rowKey: boundImageRow(referenceImageId), referenceImageId });
    },
    async unbindImage(deviceCorrelationId, referenceImageId, etag) {
      await sessions.remove(devicePartition(deviceCorrelationId), boundImageRow(referenceImageId), etag);
    },
    contentsOf,
    dropPointers,
    async dropRest({ partition, leftoverRows }) {
      await removeRows(sessions, partition, [guardRow, ...leftoverRows]);
    },
  };

  async function dropPointers(places: readonly { partition: string; row?: string }[]): Promise<void> {
    const select = ["PartitionKey", "RowKey", "partition", "row"];
    for await (const pointer of sessionIds.query({ filter: placesFilter(places), select })) {
      const points = places.some(({ partition, row = pointer.row }) => {
        return partition === pointer.partition && row === pointer.row;
      });
      if (points) await sessionIds.remove(pointer.partitionKey, pointer.rowKey);
    }
  }

  async function takeOver(existing: Reserved, key: CreationKey): Promise<Reserved | undefined> {
    const { partition, idempotencyRowKey, etag } = existing;
    const entity = writeKey(partition, idempotencyRowKey, key);
    const written = await sessions.transact([["update", entity, "Replace", { etag }]]);
    if (written.conflict === undefined) return { partition, idempotencyRowKey, etag: written.etags[0] ?? "*", key };
    if (!written.conflict.repeated) return undefined;
    // An earlier try may have been the one that wrote.
    const current = await sessions.get(partition, idempotencyRowKey);
    if (current === undefined || readKey(current).creationId !== key.creationId) return undefined;
    return { partition, idempotencyRowKey, etag: current.etag, key };
  }

  async function sessionOf({ partition, key }: Reserved): Promise<StoredSession | undefined> {
    const { sessionId, creationId } = key;
    if (sessionId === undefined) return undefined;
    const pointer = await sessionIds.get(sessionId, sessionId);
    if (pointer !== undefined) {
      const { partition: where, row } = readPointer(pointer);
      const entity = await sessions.get(where, row);
      return entity && readSession(entity);
    }
    const { from, before } = sessionRows;
    const filter = odata`PartitionKey eq ${partition} and RowKey ge ${from} and RowKey lt ${before} and creationId eq ${creationId}`;
    for await (const entity of sessions.query({ filter })) {
      const stored = readSession(entity);
      await sessionIds.put(writePointer(stored.partition, stored.row, stored.record));
      return stored;
    }
    return undefined;
  }

  /**
   * In this order: the rows are there before anything points to them, and go when nothing points to them any more. What
   * an earlier move has put there is newer than what is moved.
   */
  async function bindSession(stored: StoredSession, deviceCorrelationId: string): Promise<StoredSession> {
    const partition = devicePartition(deviceCorrelationId);
    const { row } = stored;
    const isKeyed = stored.record.idempotencyRowKey !== `k_${stored.record.creationId}`;
    const record: SessionRecord = {
      ...stored.record,
      deviceCorrelationId,
      ...(isKeyed && { keyPartition: stored.partition }),
    };
    const audits = await readAudits(stored);
    const copies = audits.map((entity): TransactionAction => {
      const { etag: _etag, timestamp: _timestamp, ...values } = entity;
      return ["upsert", { ...values, partitionKey: partition }, "Replace"];
    });
    for (const chunk of inTransactions(copies)) await sessions.transact(chunk);
    const written = await sessions.transact([["create", writeSession(partition, row, record)]]);
    const moved =
      written.conflict === undefined
        ? { ...stored, record, partition, etag: written.etags[0] ?? "*" }
        : await load(partition, row);
    if (moved === undefined) throw new Error(`The session ${record.sessionId} was erased while it was being moved.`);
    const { creationId, sessionId, expiryPartition } = record;
    await expiry.merge({ partitionKey: expiryPartition, rowKey: creationId, partition });
    await sessionIds.merge({ partitionKey: sessionId, rowKey: sessionId, partition, deviceCorrelationId });
    const keyRows = isKeyed ? [] : [stored.record.idempotencyRowKey];
    await removeRows(sessions, stored.partition, [...audits.map(({ rowKey }) => rowKey), guardRow, ...keyRows, row]);
    return stored.prunedOn === undefined ? moved : { ...moved, prunedOn: stored.prunedOn };
  }

  async function load(partition: string, row: string): Promise<StoredSession | undefined> {
    const entity = await sessions.get(partition, row);
    return entity && readSession(entity);
  }

  async function readAudits({ partition, row }: StoredSession) {
    const { from, before } = auditRows(row);
    const filter = odata`PartitionKey eq ${partition} and RowKey ge ${from} and RowKey lt ${before}`;
    const entities = [];
    for await (const entity of sessions.query({ filter })) entities.push(entity);
    return entities;
  }

  async function contentsOf(deviceCorrelationId: string): Promise<DeviceContents> {
    const partition = devicePartition(deviceCorrelationId);
    const rows = [];
    for await (const entity of sessions.query({ filter: odata`PartitionKey eq ${partition}` })) rows.push(entity);
    const found = rows.filter(({ rowKey }) => isSessionRow(rowKey)).map(readSession);
    const sessionOfKey = new Map(found.map(({ record }) => [record.idempotencyRowKey, record.creationId]));
    const kept = new Set(found.map(({ row }) => row));
    return {
      partition,
      keys: rows
        .filter(({ rowKey }) => isKeyRow(rowKey))
        .map((entity) => ({ ...readKey(entity), idempotencyRowKey: entity.rowKey }))
        .filter(({ idempotencyRowKey, creationId }) => sessionOfKey.get(idempotencyRowKey) !== creationId),
      sessions: found,
      boundImages: rows.flatMap(({ rowKey, etag }) => {
        const referenceImageId = imageOfRow(rowKey);
        return referenceImageId === undefined ? [] : { referenceImageId, etag };
      }),
      leftoverRows: rows.flatMap(({ rowKey }) => {
        const owner = sessionRowOfAudit(rowKey);
        return owner === undefined || kept.has(owner) ? [] : rowKey;
      }),
      isEmpty: rows.length === 0,
    };
  }
}

/** What can be told of the pointers in a filter, which may make no more than fifteen comparisons. */
function placesFilter(places: readonly { partition: string; row?: string }[]): string {
  const [only, ...others] = places;
  if (only !== undefined && others.length === 0) {
    return odata`partition eq ${only.partition}`.concat(only.row === undefined ? "" : odata` and row eq ${only.row}`);
  }
  const times = places.flatMap(({ row }) => (row === undefined ? [] : sessionCreatedOn(row))).sort();
  const [first = "", last = first] = [times[0], times.at(-1)];
  return times.length === places.length
    ? odata`createdOn ge ${first} and createdOn le ${last}`
    : odata`createdOn ge ${""}`;
}
