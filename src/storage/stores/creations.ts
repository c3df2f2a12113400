import type { CountedFor } from "../../liveness/model/caller.ts";
import type { CreationKey, Creations, Reservation, Reserved, ReserveOutcome } from "../../liveness/model/creations.ts";
import type { Admit } from "../../liveness/model/guard.ts";
import type { Place } from "../../liveness/model/references.ts";
import type { SessionRecord, StoredSession } from "../../liveness/model/session.ts";
import type { StorageTables } from "../azure/connect.ts";
import type { Entity } from "../azure/table.ts";
import {
  creationKeyRow,
  deviceOfPartition,
  devicePartition,
  expiryPartition,
  guardHolder,
  guardRowOf,
  guardRows,
  sessionPartition,
  sessionRows,
} from "../rows/keys.ts";
import { readKey, writeKey, writePointer } from "../rows/other-rows.ts";
import { located, locationOf, readPlace, recordKeys, versionOf, writePlace } from "../rows/references.ts";
import { readSession, writeSession } from "../rows/session-row.ts";
import { followPointer } from "./find-session.ts";
import { createGuards, type KnownGuard } from "./guards.ts";
import { keysOnly, ownKey, removeIdleGuard } from "./idle-guards.ts";
import { createWriteCache, type WriteCache } from "./write-cache.ts";

/** The key row that a creation writes together with its place in the guard. */
interface Claim {
  partition: string;
  idempotencyRowKey: string;
  key: CreationKey;
  /** ETag of the row that is replaced; absent: there is to be none. */
  replacedEtag?: string;
  /** Only this creation can have written the row: its key row bears the creation's own name. */
  isUnshared?: boolean;
}

/** @param cache for sessions that this process has committed. */
export function createCreations(
  connection: StorageTables,
  cache: WriteCache<StoredSession> = createWriteCache(),
): Creations {
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
    const { creationId } = reservation;
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
   * @param settle sees the key row as it stands after a conflict (undefined: there is none) and answers what ends the
   *   matter; undefined: only the guard stood in the way.
   */
  async function take<T extends object>(
    claim: Claim,
    admit: Admit,
    settle: (held: Entity | undefined) => T | undefined,
  ): Promise<{ reserved: Reserved } | T> {
    const { partition, idempotencyRowKey, key, replacedEtag, isUnshared = false } = claim;
    const guardRow = guardRowOf(key.countedFor);
    const keyEntity = writeKey(partition, idempotencyRowKey, key);
    // No partition's name has a slash.
    const guardName = `${partition}/${guardRow}`;
    const outcome = await guards.writeCounted<{ reserved: Reserved } | T>({
      partition,
      guardRow,
      known: rememberedGuard(guardName, admit),
      count: admit,
      action:
        replacedEtag === undefined ? ["create", keyEntity] : ["update", keyEntity, "Replace", { etag: replacedEtag }],
      async settle(repeated) {
        // An unshared key can only be met by ourselves: by a write whose answer was lost.
        const held = isUnshared && !repeated ? undefined : await sessions.get(partition, idempotencyRowKey);
        const isWritten = repeated && held !== undefined && isOurs(readKey(held), key);
        return isWritten ? { reserved: placeOf(claim, held.etag, key) } : settle(held);
      },
    });
    if (!("written" in outcome)) return outcome;
    // Without an ETag it cannot be cached; and if no device is known, no later creation uses it.
    if (outcome.written.etag !== "*" && deviceOfPartition(partition) !== undefined) {
      guardCache.remember(guardName, outcome.written);
    }
    return { reserved: placeOf(claim, outcome.etag, key) };
  }

  /**
   * What to begin with. Without a guard the write is right for a new device, and the cheapest way to learn of a known
   * one. A remembered guard may let in, because the write is conditional; it does not refuse, since it may be outdated.
   */
  function rememberedGuard(guardName: string, admit: Admit): KnownGuard | undefined {
    const known = guardCache.recall(guardName);
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

  /** Without an ETag, or before the session is moved to its device, it cannot be cached. */
  function remember(stored: StoredSession): void {
    if (locationOf(stored).etag === "*" || stored.record.deviceCorrelationId === undefined) return;
    cache.remember(stored.record.sessionId, { ...stored, recalled: true });
  }

  async function commit(reserved: Reserved, record: SessionRecord): Promise<boolean> {
    const { place, version, key } = reserved;
    const { creationId, createdOn, sessionId } = record;
    const keys = { ...recordKeys({ place, creationId, createdOn }), ...readPlace(place) };
    const location = { ...keys, expiryPartition: expiryPartition(creationId, key.dueOn) };
    const { partition, row, idempotencyRowKey } = location;
    // The pointer leaves first: an erasure that comes after the commit then finds it, and one before it refuses the commit.
    const [pointed, written] = await Promise.allSettled([
      sessionIds.put(writePointer(partition, row, record)),
      sessions.transact([
        ["create", writeSession(record, location)],
        [
          "update",
          writeKey(partition, idempotencyRowKey, { ...key, creationId, sessionId }),
          "Replace",
          { etag: version },
        ],
      ]),
    ]);
    if (written.status === "rejected" || written.value.conflict !== undefined) {
      // The answer of a write that did succeed may have been lost: the row itself knows.
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
      remember({ record, ...located({ ...location, etag: written.value.etags[0] ?? "*" }) });
    }
    return true;
  }

  async function sessionOf({ place, key }: Reserved): Promise<StoredSession | undefined> {
    const { sessionId, creationId } = key;
    if (sessionId === undefined) return undefined;
    const { isPointed, stored } = await followPointer(connection, sessionId);
    if (isPointed) return stored;
    const where = { PartitionKey: readPlace(place).partition, RowKey: sessionRows, creationId };
    for await (const entity of sessions.query({ where })) {
      const stored = readSession(entity);
      await sessionIds.put(writePointer(entity.partitionKey, entity.rowKey, stored.record));
      return stored;
    }
    return undefined;
  }

  async function dropKey(place: Place, creationId: string): Promise<void> {
    const { partition, idempotencyRowKey } = readPlace(place);
    const key = await ownKey(sessions, partition, idempotencyRowKey, creationId);
    if (key !== undefined) await sessions.remove(partition, idempotencyRowKey, key.etag);
    // Without the key row, any guard may have counted the creation.
    const counted = key === undefined ? await readGuardHolders(partition) : [readKey(key).countedFor];
    for (const countedFor of counted) await removeIdleGuard(sessions, partition, countedFor);
  }

  async function readGuardHolders(partition: string): Promise<CountedFor[]> {
    const where = { PartitionKey: partition, RowKey: guardRows };
    const holders: CountedFor[] = [];
    for await (const { rowKey } of sessions.query({ where, select: keysOnly })) holders.push(guardHolder(rowKey));
    return holders;
  }
}

function placeOf(claim: Claim, etag: string, key: CreationKey): Reserved {
  return { place: writePlace(claim), version: versionOf(etag), key };
}

/** Whether a key row holds what a request wrote whose answer was lost, and no commit since. */
function isOurs(held: CreationKey, { creationId, leaseUntil }: CreationKey): boolean {
  return held.creationId === creationId && held.leaseUntil === leaseUntil && held.sessionId === undefined;
}
