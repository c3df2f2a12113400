import type { CreationKey, DeviceStore, Guard, Reserved } from "../../../src/liveness/ports.ts";
import type { SessionRecord } from "../../../src/liveness/session.ts";
import { devicePartition, guardRow, ownerPartition } from "../../../src/storage/keys.ts";
import type { Calls } from "./calls.ts";
import { entryRows, loadSession, pointTo, type Tables } from "./tables.ts";

/** The device store on tables in memory. Each verb is one call that has its whole effect or none. */
export function createFakeDeviceStore(tables: Tables, calls: Calls): DeviceStore {
  const { records, entries, guards, keys, pointers, expiry, imageLinks, boundImages } = tables;

  function amendGuard(partition: string, change: (known: Guard | undefined) => Guard | undefined): void {
    const changed = change(guards.get(partition, guardRow)?.value);
    if (changed === undefined) return;
    const saysNothing = changed.recent.length + changed.rejectionsInARow === 0 && changed.lockedUntil === undefined;
    if (saysNothing) guards.remove(partition, guardRow);
    else guards.put(partition, guardRow, changed);
  }

  return {
    takeOver: ({ partition, idempotencyRowKey, etag }, key) =>
      calls.run("devices.takeOver", (): Reserved | undefined => {
        if (keys.get(partition, idempotencyRowKey)?.etag !== etag) return undefined;
        return { partition, idempotencyRowKey, etag: keys.put(partition, idempotencyRowKey, key), key };
      }),

    sessionOf: ({ partition, key }) =>
      calls.run("devices.sessionOf", () => {
        const { sessionId, creationId } = key;
        if (sessionId === undefined) return undefined;
        const pointer = pointers.get(sessionId, sessionId)?.value;
        if (pointer !== undefined) return loadSession(tables, pointer.partition, pointer.row);
        const row = records.rowKeys(partition).find((candidate) => candidate.endsWith(creationId));
        const stored = row === undefined ? undefined : loadSession(tables, partition, row);
        if (stored !== undefined) pointTo(tables, stored.partition, stored.row, stored.record);
        return stored;
      }),

    amendOwner: (owner, change) => calls.run("devices.amendOwner", () => amendGuard(ownerPartition(owner), change)),

    guard: (partition) =>
      calls.run("devices.guard", () => {
        const found = guards.get(partition, guardRow);
        return found && { guard: found.value, etag: found.etag };
      }),

    clearLockout: (deviceCorrelationId) =>
      calls.run("devices.clearLockout", () =>
        amendGuard(
          devicePartition(deviceCorrelationId),
          (known) => known && { recent: known.recent, rejectionsInARow: 0 },
        ),
      ),

    bindSession: (stored, deviceCorrelationId) =>
      calls.run("devices.bindSession", () => {
        const partition = devicePartition(deviceCorrelationId);
        const { row } = stored;
        const { creationId, sessionId, expiryPartition, idempotencyRowKey } = stored.record;
        const isKeyed = idempotencyRowKey !== `k_${creationId}`;
        const keyPartition = { ...(isKeyed && { keyPartition: stored.partition }) };
        const record: SessionRecord = { ...stored.record, deviceCorrelationId, ...keyPartition };
        for (const key of entryRows(tables, stored.partition, row)) {
          const entry = entries.get(stored.partition, key);
          if (entry !== undefined) entries.put(partition, key, entry.value);
          entries.remove(stored.partition, key);
        }
        if (records.get(partition, row) === undefined) records.put(partition, row, record);
        const due = expiry.get(expiryPartition, creationId);
        if (due !== undefined) expiry.put(expiryPartition, creationId, { ...due.value, partition });
        const pointer = pointers.get(sessionId, sessionId);
        if (pointer !== undefined) {
          pointers.put(sessionId, sessionId, { ...pointer.value, partition, deviceCorrelationId });
        }
        guards.remove(stored.partition, guardRow);
        if (!isKeyed) keys.remove(stored.partition, idempotencyRowKey);
        records.remove(stored.partition, row);
        const moved = loadSession(tables, partition, row);
        if (moved === undefined) throw new Error("The session is gone");
        return { ...moved, ...(stored.prunedOn !== undefined && { prunedOn: stored.prunedOn }) };
      }),

    linkImage: (sessionImageId, sessionId) =>
      calls.run("devices.linkImage", () => {
        imageLinks.put(sessionImageId, sessionImageId, sessionId);
      }),
    sessionOfImage: (sessionImageId) =>
      calls.run("devices.sessionOfImage", () => imageLinks.get(sessionImageId, sessionImageId)?.value),
    unlinkImage: (sessionImageId) =>
      calls.run("devices.unlinkImage", () => {
        imageLinks.remove(sessionImageId, sessionImageId);
      }),

    bindImage: (deviceCorrelationId, referenceImageId) =>
      calls.run("devices.bindImage", () =>
        boundImages.put(devicePartition(deviceCorrelationId), referenceImageId, referenceImageId),
      ),
    unbindImage: (deviceCorrelationId, referenceImageId, etag) =>
      calls.run("devices.unbindImage", () => {
        const partition = devicePartition(deviceCorrelationId);
        if (boundImages.get(partition, referenceImageId)?.etag === etag) {
          boundImages.remove(partition, referenceImageId);
        }
      }),

    contentsOf: (deviceCorrelationId) =>
      calls.run("devices.contentsOf", () => {
        const partition = devicePartition(deviceCorrelationId);
        const sessions = records.rowKeys(partition).flatMap((row) => loadSession(tables, partition, row) ?? []);
        const isSessions = ({ creationId, idempotencyRowKey }: CreationKey & { idempotencyRowKey: string }) =>
          sessions.some(
            ({ record }) => record.idempotencyRowKey === idempotencyRowKey && record.creationId === creationId,
          );
        const keyRows = keys.rowKeys(partition).flatMap((idempotencyRowKey) => {
          const key = keys.get(partition, idempotencyRowKey)?.value;
          return key === undefined ? [] : { ...key, idempotencyRowKey };
        });
        const audits = entries.rowKeys(partition);
        const kept = new Set(sessions.flatMap(({ row }) => entryRows(tables, partition, row)));
        const images = boundImages.rowKeys(partition).flatMap((referenceImageId) => {
          const note = boundImages.get(partition, referenceImageId);
          return note === undefined ? [] : { referenceImageId, etag: note.etag };
        });
        const hasGuard = guards.get(partition, guardRow) !== undefined;
        return {
          partition,
          keys: keyRows.filter((key) => !isSessions(key)),
          sessions,
          boundImages: images,
          leftoverRows: audits.filter((row) => !kept.has(row)),
          isEmpty: sessions.length + keyRows.length + audits.length + images.length === 0 && !hasGuard,
        };
      }),

    dropPointers: (places) =>
      calls.run("devices.dropPointers", () => {
        for (const { partition: pointer, row: rowKey, value } of pointers.all()) {
          const points = places.some(({ partition, row = value.row }) => {
            return value.partition === partition && value.row === row;
          });
          if (points) pointers.remove(pointer, rowKey);
        }
      }),

    dropRest: ({ partition, leftoverRows }) =>
      calls.run("devices.dropRest", () => {
        guards.remove(partition, guardRow);
        for (const row of leftoverRows) entries.remove(partition, row);
      }),
  };
}
