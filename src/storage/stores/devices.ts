import type { DeviceContents, Devices } from "../../liveness/model/devices.ts";
import { readAll } from "../azure/query.ts";
import type { StorageTables } from "../azure/table.ts";
import { removeKeys } from "../azure/transactions.ts";
import { isEventRow } from "../rows/event-keys.ts";
import { eventKeys } from "../rows/event-rows.ts";
import {
  boundImageRow,
  devicePartition,
  guardRow,
  guardRowOf,
  guardRows,
  imageOfRow,
  isGuardRow,
  isKeyRow,
  isSessionRow,
  locationOf,
  ownerPartition,
  readItemRef,
  readPlace,
  sessionRowOfAudit,
  versionOf,
  writeItemRef,
  writePlace,
} from "../rows/keys.ts";
import { readGuard, readKey, readSession } from "../rows/rows.ts";
import { createBinding } from "./binding.ts";
import { createGuards } from "./guards.ts";

/** Guards, bound images and erasure: operations on all rows of a device or of a principal. */
export function createDevices(connection: StorageTables): Devices {
  const { sessions } = connection;
  const guards = createGuards(connection);
  return {
    async guardOf(stored) {
      const known = await guards.read(locationOf(stored).partition, guardRowOf(stored.record.countedFor));
      return known && { guard: known.guard, version: versionOf(known.etag) };
    },
    async editGuards(deviceCorrelationId, edit) {
      const partition = devicePartition(deviceCorrelationId);
      const where = { PartitionKey: partition, RowKey: guardRows };
      for await (const entity of sessions.query({ where })) {
        if (edit(readGuard(entity)) !== undefined) await guards.update(partition, entity.rowKey, edit);
      }
    },
    editOwnerGuard: (owner, edit) => guards.update(ownerPartition(owner), guardRow, edit),
    bindSession: createBinding(connection),
    async bindImage(deviceCorrelationId, name, boundOn) {
      const partitionKey = devicePartition(deviceCorrelationId);
      return versionOf(await sessions.put({ partitionKey, rowKey: boundImageRow(name), boundOn }));
    },
    async unbindImage(deviceCorrelationId, name, version) {
      await sessions.remove(devicePartition(deviceCorrelationId), boundImageRow(name), version);
    },
    contentsOf,
    async dropRest({ leftovers }) {
      await removeKeys(sessions, leftovers.map(readItemRef));
    },
  };

  async function contentsOf(deviceCorrelationId: string): Promise<DeviceContents> {
    const partition = devicePartition(deviceCorrelationId);
    const rows = await readAll(sessions.query({ where: { PartitionKey: partition } }), (entity) => entity);
    const found = rows.filter(({ rowKey }) => isSessionRow(rowKey)).map(readSession);
    const sessionOfKey = new Map(
      found.map((stored) => [locationOf(stored).idempotencyRowKey, stored.record.creationId]),
    );
    const kept = new Set(found.map((stored) => locationOf(stored).row));
    const keptEvents = new Set(found.flatMap(({ record }) => (record.events ?? []).map((ref) => eventKeys(ref).row)));
    return {
      keys: rows
        .filter(({ rowKey }) => isKeyRow(rowKey))
        .map((entity) => ({ key: readKey(entity), place: writePlace({ partition, idempotencyRowKey: entity.rowKey }) }))
        .filter(({ key, place }) => sessionOfKey.get(readPlace(place).idempotencyRowKey) !== key.creationId),
      sessions: found,
      boundImages: rows.flatMap(({ rowKey, etag }) => {
        const name = imageOfRow(rowKey);
        return name === undefined ? [] : { name, version: versionOf(etag) };
      }),
      leftovers: rows.flatMap(({ rowKey, etag }) => {
        const owner = sessionRowOfAudit(rowKey);
        const isLeftover =
          isGuardRow(rowKey) ||
          (owner !== undefined && !kept.has(owner)) ||
          (isEventRow(rowKey) && !keptEvents.has(rowKey));
        return isLeftover ? writeItemRef({ partition, row: rowKey, etag }) : [];
      }),
      isEmpty: rows.length === 0,
    };
  }
}
