import type { CreationKey, Creations, Reservation, Reserved, ReserveOutcome } from "../../liveness/model/creations.ts";
import type { Admit } from "../../liveness/model/guard.ts";
import type { Place } from "../../liveness/model/references.ts";
import type { SessionRecord, StoredSession } from "../../liveness/model/session.ts";
import { keysOnly, readAll, readFirst } from "../azure/query.ts";
import type { Entity, StorageTables } from "../azure/table.ts";
import {
  creationKeyRow,
  deviceOfPartition,
  devicePartition,
  expiryPartition,
  guardHolder,
  guardRowOf,
  guardRows,
  type KeyLocation,
  located,
  locationOf,
  readPlace,
  recordKeys,
  sessionPartition,
  sessionRows,
  versionOf,
  writePlace,
} from "../rows/keys.ts";
import { readKey, readSession, writeKey, writePointer, writeSession } from "../rows/rows.ts";
import { createGuards, type KnownGuard, ownKey, removeIdleGuard } from "./guards.ts";
import { followPointer } from "./sessions.ts";

/** The key row that a creation writes in one transaction with the guard. */
interface Claim extends KeyLocation {
  key: CreationKey;
  /** ETag of the row that is replaced; absent: the row must not exist. */
  replacedEtag?: string;
  /** The row key is the creation's id, not an idempotency key: no other creation can write the row. */
  isUnshared?: boolean;
}

/** @param cache sessions that this process has committed. */
export function createCreations(connection: StorageTables, cache: WriteCache<StoredSession>): Creations {
  const { sessions, sessionIds } = connection;
  const guards = createGuards(connection);
  const guardCache = createWriteCache<KnownGuard>();

  return {
    reserve,
    takeOver,
    isCurrent,
    release,
    editGuard: ({ place, key }, edit) => guards.update(readPlace(place).partition, guardRowOf(key.countedFor), edit),
    commit,
    sessionOf,
    dropKey,
  };

  async function reserve(reservation: Reservation, admit: Admit): Promise<ReserveOutcome> {
    const { deviceCorrelationId, keyHash, anchor, ...key } = reservation;
    const { creationId } = key;
    const partition =
      deviceCorrelationId === undefined ? sessionPartition(anchor ?? creationId) : devicePartition(deviceCorrelationId);
    const claim: Claim = {
      partition,
      idempotencyRowKey: creationKeyRow(creationId, keyHash),
      key,
      isUnshared: keyHash === undefined,
    };
    return take(claim, admit, (held) => held && { existing: placeOf(claim, held.etag, readKey(held)) });
  }

  async function takeOver(existing: Reserved, key: CreationKey, admit: Admit): Promise<Reserved | undefined> {
    const { place, version } = existing;
    const outcome = await take({ ...readPlace(place), key, replacedEtag: version }, admit, (held) =>
      held?.etag === version ? undefined : { reserved: undefined },
    );
    return outcome.reserved;
  }

  /**
   * Writes the key row and the guard.
   *
   * @param resolveConflict called with the current key row after a conflict. Returns the result if the key row caused the
   *   conflict, or undefined if only the guard did: then the write is repeated.
   */
  async function take<T extends object>(
    claim: Claim,
    admit: Admit,
    resolveConflict: (held: Entity | undefined) => T | undefined,
  ): Promise<{ reserved: Reserved } | T> {
    const { partition, idempotencyRowKey, key, replacedEtag, isUnshared = false } = claim;
    const guardRow = guardRowOf(key.countedFor);
    const keyEntity = writeKey(partition, idempotencyRowKey, key);
    // The name is unambiguous, because partition keys contain no slash.
    const guardName = `${partition}/${guardRow}`;
    const outcome = await guards.writeCounted<{ reserved: Reserved } | T>({
      partition,
      guardRow,
      known: cachedGuard(guardName, admit),
      count: admit,
      action:
        replacedEtag === undefined ? ["create", keyEntity] : ["update", keyEntity, "Replace", { etag: replacedEtag }],
      async resolveConflict(repeated) {
        // An unshared row can exist only if an earlier attempt wrote it and its response was lost.
        const held = isUnshared && !repeated ? undefined : await sessions.get(partition, idempotencyRowKey);
        const isWritten = repeated && held !== undefined && isSameReservation(readKey(held), key);
        return isWritten ? { reserved: placeOf(claim, held.etag, key) } : resolveConflict(held);
      },
    });
    if (!("written" in outcome)) return outcome;
    // Not cached: a guard without an ETag, which cannot be replaced conditionally, and one that no later creation reads.
    if (outcome.written.etag !== "*" && deviceOfPartition(partition) !== undefined) {
      guardCache.set(guardName, outcome.written);
    }
    return { reserved: placeOf(claim, outcome.etag, key) };
  }

  /**
   * The guard that the first attempt replaces. A cached guard may be outdated: it may admit, because the write is
   * conditional, but must not refuse. Without a cached guard, the first attempt creates the guard, as for a new device;
   * if the device has a guard, this attempt fails, and the guard is then read.
   */
  function cachedGuard(guardName: string, admit: Admit): KnownGuard | undefined {
    const known = guardCache.get(guardName);
    try {
      if (known !== undefined) admit(known.guard);
      return known;
    } catch {
      return undefined;
    }
  }

  async function isCurrent({ place, version }: Reserved): Promise<boolean> {
    const { partition, idempotencyRowKey } = readPlace(place);
    return (await sessions.get(partition, idempotencyRowKey))?.etag === version;
  }

  async function release({ place, version }: Reserved): Promise<boolean> {
    const { partition, idempotencyRowKey } = readPlace(place);
    return (await sessions.remove(partition, idempotencyRowKey, version)) === "removed";
  }

  /** Caches a session, unless it has no ETag or is still to be moved to its device. */
  function cacheSession(stored: StoredSession): void {
    if (locationOf(stored).etag === "*" || stored.record.deviceCorrelationId === undefined) return;
    cache.set(stored.record.sessionId, { ...stored, isCached: true });
  }

  async function commit(reserved: Reserved, record: SessionRecord): Promise<boolean> {
    const { place, version, key } = reserved;
    const { creationId, createdOn, sessionId } = record;
    const keys = { ...recordKeys({ place, creationId, createdOn }), ...readPlace(place) };
    const location = { ...keys, expiryPartition: expiryPartition(creationId, key.dueOn) };
    const { partition, row, idempotencyRowKey } = location;
    const committedKey = writeKey(partition, idempotencyRowKey, { ...key, creationId, sessionId });
    // The pointer is sent first, so that an erasure after the commit finds it. An erasure before the commit removes the key
    // row and so makes the commit fail.
    const [pointed, written] = await Promise.allSettled([
      sessionIds.put(writePointer(partition, row, record)),
      sessions.transact([
        ["create", writeSession(record, location)],
        ["update", committedKey, "Replace", { etag: version }],
      ]),
    ]);
    if (written.status === "rejected" || written.value.conflict !== undefined) {
      // The transaction may have succeeded although its response was lost: read the row.
      const entity = await sessions.get(partition, row).catch((error: unknown) => {
        throw written.status === "rejected" ? written.reason : error;
      });
      if (entity?.sessionId !== sessionId) {
        await sessionIds.remove(sessionId, sessionId);
        if (written.status === "rejected") throw written.reason;
        return false;
      }
    }
    if (pointed.status === "rejected") throw pointed.reason;
    if (written.status === "fulfilled" && written.value.conflict === undefined) {
      cacheSession({ record, ...located({ ...location, etag: written.value.etags[0] ?? "*" }) });
    }
    return true;
  }

  async function sessionOf({ place, key }: Reserved): Promise<StoredSession | undefined> {
    const { sessionId, creationId } = key;
    if (sessionId === undefined) return undefined;
    const { isPointed, stored } = await followPointer(connection, sessionId);
    if (isPointed) return stored;
    const where = { PartitionKey: readPlace(place).partition, RowKey: sessionRows, creationId };
    const [entity] = await readFirst(sessions.query({ where }), 1);
    if (entity === undefined) return undefined;
    const found = readSession(entity);
    await sessionIds.put(writePointer(entity.partitionKey, entity.rowKey, found.record));
    return found;
  }

  async function dropKey(place: Place, creationId: string): Promise<void> {
    const { partition, idempotencyRowKey } = readPlace(place);
    const key = await ownKey(sessions, partition, idempotencyRowKey, creationId);
    if (key !== undefined) await sessions.remove(partition, idempotencyRowKey, key.etag);
    // Without the key row, any guard of the partition may have counted the creation.
    const where = { PartitionKey: partition, RowKey: guardRows };
    const counted =
      key === undefined
        ? await readAll(sessions.query({ where, select: keysOnly }), ({ rowKey }) => guardHolder(rowKey))
        : [readKey(key).countedFor];
    for (const countedFor of counted) await removeIdleGuard(sessions, partition, countedFor);
  }
}

function placeOf(claim: Claim, etag: string, key: CreationKey): Reserved {
  return { place: writePlace(claim), version: versionOf(etag), key };
}

/** Whether a stored key row is the reservation itself, not yet committed. */
function isSameReservation(held: CreationKey, { creationId, leaseUntil }: CreationKey): boolean {
  return held.creationId === creationId && held.leaseUntil === leaseUntil && held.sessionId === undefined;
}

/**
 * The latest values that this process has written, by key; the oldest are evicted. Values may be outdated: callers use them
 * only for conditional writes, or read the row before they rely on it.
 */
export interface WriteCache<T> {
  set(key: string, value: T): void;
  get(key: string): T | undefined;
  delete(key: string): void;
}

/** Enough for the creations of a minute or two, within which most sessions are settled. */
const maxValues = 1000;

export function createWriteCache<T>(): WriteCache<T> {
  const cache = new Map<string, T>();
  return {
    set(key, value) {
      // Deleted first, so that the key becomes the newest one.
      cache.delete(key);
      cache.set(key, value);
      const [oldest] = cache.keys();
      if (cache.size > maxValues && oldest !== undefined) cache.delete(oldest);
    },
    get: (key) => cache.get(key),
    delete(key) {
      cache.delete(key);
    },
  };
}
