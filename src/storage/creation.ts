import { ApiError } from "../errors.ts";
import { giveBack } from "../liveness/limits.ts";
import type { CreationKey, Guard, Reservation, Reserved, SessionStore } from "../liveness/ports.ts";
import type { SessionRecord, StoredSession } from "../liveness/session.ts";
import type { StorageTables } from "./connect.ts";
import { createGuards, type KnownGuard, maxGuardRounds } from "./guards.ts";
import { creationKeyRow, devicePartition, sessionPartition, sessionRow } from "./keys.ts";
import { createRecent, type Recent } from "./recent.ts";
import { writeSession } from "./session-row.ts";
import { readKey, writeGuard, writeKey, writePointer } from "./small-rows.ts";

type Creation = Pick<SessionStore, "reserve" | "release" | "commit">;

/** The life of a creation in the tables: a place is taken, then committed or given back. */
export function createCreation(connection: StorageTables, recent: Recent<StoredSession> = createRecent()): Creation {
  const { sessions, sessionIds } = connection;
  const guards = createGuards(connection);
  const recentGuards = createRecent<KnownGuard>();

  return { reserve, release, commit };

  async function reserve(
    reservation: Reservation,
    admit: (guard: Guard | undefined) => Guard,
  ): ReturnType<Creation["reserve"]> {
    const { deviceCorrelationId, keyHash, anchor, ...key } = reservation;
    const { creationId } = reservation;
    const partition =
      deviceCorrelationId === undefined ? sessionPartition(anchor ?? creationId) : devicePartition(deviceCorrelationId);
    const idempotencyRowKey = creationKeyRow(creationId, keyHash);
    const place = (etag: string, held: CreationKey): Reserved => ({ partition, idempotencyRowKey, etag, key: held });
    const won = (etag: string, held: CreationKey, before: Guard | undefined, admitted: Guard) => {
      const taken = placeTaken(before, admitted);
      return { reserved: { ...place(etag, held), ...(taken !== undefined && { taken }) } };
    };

    let known = rememberedGuard(partition, admit);
    for (let round = 1; round <= maxGuardRounds; round++) {
      const admitted = admit(known?.guard);
      const guardEntity = writeGuard(partition, admitted);
      const written = await sessions.transact([
        ["create", writeKey(partition, idempotencyRowKey, key)],
        known === undefined ? ["create", guardEntity] : ["update", guardEntity, "Replace", { etag: known.etag }],
      ]);
      if (written.conflict === undefined) {
        const [keyEtag = "*", guardEtag] = written.etags;
        // Without an ETag of its own it could not be told from what others write; and where no device is known, none will.
        if (guardEtag !== undefined && guardEtag !== "*" && deviceCorrelationId !== undefined) {
          recentGuards.remember(partition, { guard: admitted, etag: guardEtag });
        }
        return won(keyEtag, key, known?.guard, admitted);
      }
      const { repeated } = written.conflict;
      if (round > 1) await guards.pause(round - 1);
      // A key named by the creation alone can only be met by ourselves: by a write whose answer was lost.
      const keyMayExist = keyHash !== undefined || repeated;
      const [keyEntity, currentGuard] = await Promise.all([
        keyMayExist ? sessions.get(partition, idempotencyRowKey) : undefined,
        guards.read(partition),
      ]);
      if (keyEntity !== undefined) {
        const held = readKey(keyEntity);
        const ours = repeated && held.creationId === creationId && held.leaseUntil === key.leaseUntil;
        if (!ours || held.sessionId !== undefined) return { existing: place(keyEntity.etag, held) };
        return won(keyEntity.etag, held, known?.guard, admitted);
      }
      known = currentGuard;
    }
    throw new ApiError(503, "ServerBusy", "Too many sessions are being created for this device at once.", {
      retryAfter: "1",
    });
  }

  /**
   * What to begin with. Without a guard the write is right for a new device, and the cheapest way to learn of a known
   * one. A remembered guard may let in, because the write goes by its ETag; it turns nobody away, since it may be old.
   */
  function rememberedGuard(partition: string, admit: (guard: Guard) => Guard): KnownGuard | undefined {
    const known = recentGuards.recall(partition);
    try {
      if (known !== undefined) admit(known.guard);
      return known;
    } catch {
      return undefined;
    }
  }

  async function release(reserved: Reserved): Promise<void> {
    const { partition, idempotencyRowKey, etag, taken } = reserved;
    const removed = await sessions.remove(partition, idempotencyRowKey, etag);
    if (removed !== "removed" || taken === undefined) return;
    await guards.amend(partition, (guard) => giveBack(guard, taken));
  }

  /** What has no ETag of its own could not be told from what others write; one whose device is not known will be moved. */
  function remember(stored: StoredSession): void {
    if (stored.etag === "*" || stored.record.deviceCorrelationId === undefined) return;
    recent.remember(stored.record.sessionId, { ...stored, recalled: true });
  }

  async function commit(reserved: Reserved, record: SessionRecord): Promise<boolean> {
    const { partition, idempotencyRowKey, etag, key } = reserved;
    const { creationId, sessionId } = record;
    const row = sessionRow(record.createdOn, creationId);
    // The pointer leaves first: an erasure that comes after the commit then finds it, and one before it refuses the commit.
    const [pointed, written] = await Promise.allSettled([
      sessionIds.put(writePointer(partition, row, record)),
      sessions.transact([
        ["create", writeSession(partition, row, record)],
        ["update", writeKey(partition, idempotencyRowKey, { ...key, creationId, sessionId }), "Replace", { etag }],
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
      remember({ record, partition, row, etag: written.value.etags[0] ?? "*" });
    }
    return true;
  }
}

/** The time by which the admitted guard is longer than the one before. */
function placeTaken(before: Guard | undefined, admitted: Guard): string | undefined {
  const left = [...(before?.recent ?? [])];
  return admitted.recent.find((time) => {
    const index = left.indexOf(time);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}
