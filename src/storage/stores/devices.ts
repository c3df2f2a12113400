import type { GuardEdit } from "../../liveness/model/guard.ts";
import type { DeviceContents, DeviceStore, Reserved } from "../../liveness/model/ports.ts";
import type { StoredSession } from "../../liveness/model/session.ts";
import type { StorageTables } from "../azure/connect.ts";
import type { Conditions } from "../azure/query.ts";
import { removeRows } from "../azure/transactions.ts";
import {
  boundImageRow,
  devicePartition,
  guardRow,
  guardRowOf,
  guardRows,
  imageLinkKey,
  imageOfRow,
  isGuardRow,
  isKeyRow,
  isSessionRow,
  ownerPartition,
  sessionCreatedOn,
  sessionRowOfAudit,
  sessionRows,
} from "../rows/keys.ts";
import { readGuard, readKey, writePointer } from "../rows/other-rows.ts";
import { readSession } from "../rows/session-row.ts";
import { createBinding } from "./binding.ts";
import { followPointer } from "./find-session.ts";
import { createGuards } from "./guards.ts";

/** What concerns a device, or a principal, as a whole. */
export function createDeviceStore(connection: StorageTables): DeviceStore {
  const { sessions, sessionIds } = connection;
  const guards = createGuards(connection);
  return {
    sessionOf,
    updateOwnerGuard: (owner, change) => guards.update(ownerPartition(owner), guardRow, change),
    guard: (partition, countedFor) => guards.read(partition, guardRowOf(countedFor)),
    updateGuard: (partition, countedFor, change) => guards.update(partition, guardRowOf(countedFor), change),
    updateGuards,
    bindSession: createBinding(connection),
    async linkImage(sessionImageId, sessionId) {
      const key = imageLinkKey(sessionImageId);
      const createdOn = new Date(connection.now()).toISOString();
      await sessionIds.put({ partitionKey: key, rowKey: key, kind: "sessionImage", sessionId, createdOn });
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
    bindImage(deviceCorrelationId, name, boundOn) {
      const partitionKey = devicePartition(deviceCorrelationId);
      return sessions.put({ partitionKey, rowKey: boundImageRow(name), boundOn });
    },
    async unbindImage(deviceCorrelationId, name, etag) {
      await sessions.remove(devicePartition(deviceCorrelationId), boundImageRow(name), etag);
    },
    contentsOf,
    dropPointers,
    async dropRest({ partition, leftoverRows }) {
      await removeRows(sessions, partition, leftoverRows);
    },
  };

  async function dropPointers(places: readonly { partition: string; row?: string }[]): Promise<void> {
    const select = ["PartitionKey", "RowKey", "partition", "row"];
    for await (const pointer of sessionIds.query({ where: conditionOf(places), select })) {
      const points = places.some(({ partition, row = pointer.row }) => {
        return partition === pointer.partition && row === pointer.row;
      });
      if (points) await sessionIds.remove(pointer.partitionKey, pointer.rowKey);
    }
  }

  async function updateGuards(deviceCorrelationId: string, change: GuardEdit): Promise<void> {
    const partition = devicePartition(deviceCorrelationId);
    const where = { PartitionKey: partition, RowKey: guardRows };
    for await (const entity of sessions.query({ where })) {
      if (change(readGuard(entity)) !== undefined) await guards.update(partition, entity.rowKey, change);
    }
  }

  async function sessionOf({ partition, key }: Reserved): Promise<StoredSession | undefined> {
    const { sessionId, creationId } = key;
    if (sessionId === undefined) return undefined;
    const { isPointed, stored } = await followPointer(connection, sessionId);
    if (isPointed) return stored;
    const where = { PartitionKey: partition, RowKey: sessionRows, creationId };
    for await (const entity of sessions.query({ where })) {
      const stored = readSession(entity);
      await sessionIds.put(writePointer(stored.partition, stored.row, stored.record));
      return stored;
    }
    return undefined;
  }

  async function contentsOf(deviceCorrelationId: string): Promise<DeviceContents> {
    const partition = devicePartition(deviceCorrelationId);
    const rows = [];
    for await (const entity of sessions.query({ where: { PartitionKey: partition } })) rows.push(entity);
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
        const name = imageOfRow(rowKey);
        return name === undefined ? [] : { name, etag };
      }),
      leftoverRows: rows.flatMap(({ rowKey }) => {
        const owner = sessionRowOfAudit(rowKey);
        const isLeftover = isGuardRow(rowKey) || (owner !== undefined && !kept.has(owner));
        return isLeftover ? rowKey : [];
      }),
      isEmpty: rows.length === 0,
    };
  }
}

/** What a query can ask of the pointers: it may make no more than fifteen comparisons. */
function conditionOf(places: readonly { partition: string; row?: string }[]): Conditions {
  const [only, ...others] = places;
  if (only !== undefined && others.length === 0) {
    return { partition: only.partition, ...(only.row !== undefined && { row: only.row }) };
  }
  const times = places.flatMap(({ row }) => (row === undefined ? [] : sessionCreatedOn(row))).sort();
  const [first = "", last = first] = [times[0], times.at(-1)];
  return { createdOn: times.length === places.length ? { from: first, through: last } : { from: "" } };
}
