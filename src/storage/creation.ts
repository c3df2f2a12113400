import { isDeepStrictEqual } from "node:util";
import { ApiError } from "../errors.ts";
import type { CreationKey, Guard, Reservation, Reserved, SessionStore } from "../liveness/ports.ts";
import type { SessionRecord, StoredSession } from "../liveness/session.ts";
import type { StorageConnection } from "./connect.ts";
import { creationKeyRow, devicePartition, guardRow, sessionPartition, sessionRow } from "./keys.ts";
import { createRecentSessions, type RecentSessions } from "./recent-sessions.ts";
import { backoff } from "./retry.ts";
import { writeSession } from "./session-row.ts";
import { readGuard, readKey, writeGuard, writeKey, writePointer } from "./small-rows.ts";

/** Rounds of the race for a device's guard before the caller is sent away. Each lost round is another's success. */
const maxRounds = 50;
/** Bounds of the pause between two rounds. */
const firstPauseMs = 5;
const maxPauseMs = 200;

type Creation = Pick<SessionStore, "reserve" | "release" | "commit">;

/** The life of a creation in the tables: a place is taken, then committed or given back. */
export function createCreation(
  { sessions, sessionIds, patience }: StorageConnection,
  recent: RecentSessions = createRecentSessions(),
): Creation {
  const pause = (round: number) =>
    patience.sleep(
      backoff(round, { firstDelayMs: firstPauseMs, maxDelayMs: maxPauseMs, random: patience.random }) *
        patience.random(),
    );

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

    // Most often right for a new device, and the cheapest way to learn of a known one.
    let known: { guard: Guard; etag: string } | undefined;
    for (let round = 1; round <= maxRounds; round++) {
      const admitted = admit(known?.guard);
      const guardEntity = writeGuard(partition, admitted);
      const written = await sessions.transact([
        ["create", writeKey(partition, idempotencyRowKey, key)],
        known === undefined ? ["create", guardEntity] : ["update", guardEntity, "Replace", { etag: known.etag }],
      ]);
      if (written.conflict === undefined) {
        const taken = placeTaken(known?.guard, admitted);
        return { reserved: { ...place(written.etags[0] ?? "*", key), ...(taken === undefined ? {} : { taken }) } };
      }
      const { repeated } = written.conflict;
      if (round > 1) await pause(round - 1);
      // A key named by the creation alone can only be met by ourselves: by a write whose answer was lost.
      const keyMayExist = keyHash !== undefined || repeated;
      const [keyEntity, currentGuard] = await Promise.all([
        keyMayExist ? sessions.get(partition, idempotencyRowKey) : undefined,
        sessions.get(partition, guardRow),
      ]);
      if (keyEntity !== undefined) {
        const held = readKey(keyEntity);
        const ours = repeated && held.creationId === creationId && held.leaseUntil === key.leaseUntil;
        if (!ours || held.sessionId !== undefined) return { existing: place(keyEntity.etag, held) };
        const taken = placeTaken(known?.guard, admitted);
        return { reserved: { ...place(keyEntity.etag, held), ...(taken === undefined ? {} : { taken }) } };
      }
      known = currentGuard && { guard: readGuard(currentGuard), etag: currentGuard.etag };
    }
    throw new ApiError(503, "ServerBusy", "Too many sessions are being created for this device at once.", {
      retryAfter: "1",
    });
  }

  async function release(reserved: Reserved): Promise<void> {
    const { partition, idempotencyRowKey, etag, taken } = reserved;
    const removed = await sessions.remove(partition, idempotencyRowKey, etag);
    if (removed !== "removed" || taken === undefined) return;
    for (let round = 1; round <= maxRounds; round++) {
      const entity = await sessions.get(partition, guardRow);
      if (entity === undefined) return;
      const guard = readGuard(entity);
      const index = guard.recent.indexOf(taken);
      if (index < 0) return;
      const left = { ...guard, recent: guard.recent.toSpliced(index, 1) };
      if (await replaceGuard(partition, left, entity.etag)) return;
      await pause(round);
    }
  }

  /** False where somebody else has changed the guard. */
  async function replaceGuard(partition: string, guard: Guard, etag: string): Promise<boolean> {
    // A guard that says nothing any more is removed, so that a device without sessions leaves no trace.
    if (guard.recent.length === 0 && guard.rejectionsInARow === 0 && guard.lockedUntil === undefined) {
      return (await sessions.remove(partition, guardRow, etag)) !== "changed";
    }
    const { conflict } = await sessions.transact([["update", writeGuard(partition, guard), "Replace", { etag }]]);
    if (conflict === undefined || !conflict.repeated) return conflict === undefined;
    const current = await sessions.get(partition, guardRow);
    return current !== undefined && isDeepStrictEqual(readGuard(current), guard);
  }

  /** What has no ETag of its own could not be told from what others write; one whose device is not known will be moved. */
  function remember(stored: StoredSession): void {
    if (stored.etag !== "*" && stored.record.deviceCorrelationId !== undefined) recent.remember(stored);
  }

  async function commit(reserved: Reserved, record: SessionRecord): Promise<boolean> {
    const { partition, idempotencyRowKey, etag, key } = reserved;
    const { creationId, sessionId } = record;
    const row = sessionRow(record.createdOn, creationId);
    const [written, pointed] = await Promise.allSettled([
      sessions.transact([
        ["create", writeSession(partition, row, record)],
        ["update", writeKey(partition, idempotencyRowKey, { ...key, creationId, sessionId }), "Replace", { etag }],
      ]),
      sessionIds.put(writePointer(partition, row, record)),
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
