import { badArgument } from "../../../src/face/errors.ts";
import type { CreationKey, Reserved, SessionStore } from "../../../src/liveness/ports.ts";
import type { StoredSession } from "../../../src/liveness/session.ts";
import {
  auditRow,
  creationKeyRow,
  devicePartition,
  duePartitions,
  expiryPartition,
  guardRow,
  sessionCreatedOn,
  sessionPartition,
  sessionRow,
  shardPartitions,
} from "../../../src/storage/keys.ts";
import type { Calls } from "./calls.ts";
import { entryRows, loadSession, pointTo, type Tables } from "./tables.ts";

/** The session store on tables in memory. Each verb is one call that has its whole effect or none. */
export function createFakeSessionStore(tables: Tables, calls: Calls): SessionStore {
  const { records, entries, guards, keys, pointers, expiry } = tables;

  const load = (partition: string, row: string) => loadSession(tables, partition, row);

  /** What this process has created, as the real store remembers it. */
  const recent = new Map<string, StoredSession>();

  function find(sessionId: string): StoredSession | undefined {
    const pointer = pointers.get(sessionId, sessionId)?.value;
    const stored = pointer && load(pointer.partition, pointer.row);
    return stored && { ...stored, ...(pointer?.prunedOn !== undefined && { prunedOn: pointer.prunedOn }) };
  }

  /** Whether there was one. */
  function patchPointer(sessionId: string, patch: { startedOn?: string; prunedOn?: string }): boolean {
    const pointer = pointers.get(sessionId, sessionId)?.value;
    if (pointer !== undefined) pointers.put(sessionId, sessionId, { ...pointer, ...patch });
    return pointer !== undefined;
  }

  /** A guard goes with the last key and session of its device. */
  function dropIdleGuard(partition: string): void {
    if (keys.rowKeys(partition).length + records.rowKeys(partition).length === 0) guards.remove(partition, guardRow);
  }

  return {
    rowKey: sessionRow,
    createdOn: sessionCreatedOn,
    expiryPartition,

    reserve: ({ deviceCorrelationId, keyHash, anchor = "", ...key }, admit) =>
      calls.run("sessions.reserve", () => {
        const partition =
          deviceCorrelationId === undefined
            ? sessionPartition(anchor || key.creationId)
            : devicePartition(deviceCorrelationId);
        const idempotencyRowKey = creationKeyRow(key.creationId, keyHash);
        const place = (etag: string, held: CreationKey): Reserved => ({
          partition,
          idempotencyRowKey,
          etag,
          key: held,
        });
        const existing = keys.get(partition, idempotencyRowKey);
        if (existing !== undefined) return { existing: place(existing.etag, existing.value) };
        const admitted = admit(guards.get(partition, guardRow)?.value);
        guards.put(partition, guardRow, admitted);
        const taken = admitted.recent.at(-1);
        const reserved = place(keys.put(partition, idempotencyRowKey, key), key);
        return { reserved: { ...reserved, ...(taken !== undefined && { taken }) } };
      }),

    release: ({ partition, idempotencyRowKey, etag, taken }) =>
      calls.run("sessions.release", () => {
        if (keys.get(partition, idempotencyRowKey)?.etag !== etag) return;
        keys.remove(partition, idempotencyRowKey);
        const guard = guards.get(partition, guardRow)?.value;
        if (guard === undefined || taken === undefined) return;
        const recent = guard.recent.toSpliced(guard.recent.lastIndexOf(taken), 1);
        const isEmpty = recent.length === 0 && guard.rejectionsInARow === 0 && guard.lockedUntil === undefined;
        if (isEmpty) guards.remove(partition, guardRow);
        else guards.put(partition, guardRow, { ...guard, recent });
      }),

    dropKey: (partition, idempotencyRowKey, creationId) =>
      calls.run("sessions.dropKey", () => {
        if (keys.get(partition, idempotencyRowKey)?.value.creationId === creationId) {
          keys.remove(partition, idempotencyRowKey);
        }
        dropIdleGuard(partition);
      }),

    schedule: (...rows) =>
      calls.run("sessions.schedule", () => {
        for (const due of rows) expiry.put(due.expiryPartition, due.creationId, due);
      }),

    commit: ({ partition, idempotencyRowKey, etag, key }, record) =>
      calls.run("sessions.commit", () => {
        const { creationId, sessionId, createdOn } = record;
        const row = sessionRow(createdOn, creationId);
        if (keys.get(partition, idempotencyRowKey)?.etag !== etag || records.get(partition, row)) return false;
        keys.put(partition, idempotencyRowKey, { ...key, creationId, sessionId });
        const rowEtag = records.put(partition, row, record);
        pointTo(tables, partition, row, record);
        if (record.deviceCorrelationId !== undefined) {
          recent.set(sessionId, structuredClone({ record, partition, row, etag: rowEtag, recalled: true }));
        }
        return true;
      }),

    recall: (sessionId) => structuredClone(recent.get(sessionId)),
    find: (sessionId) => calls.run("sessions.find", () => find(sessionId)),
    load: (partition, row) => calls.run("sessions.load", () => load(partition, row)),

    update: (stored, record, written = [], guard) =>
      calls.run("sessions.update", () => {
        const { partition, row, etag } = stored;
        recent.delete(record.sessionId);
        if (records.get(partition, row)?.etag !== etag) return undefined;
        const known = guards.get(partition, guardRow);
        if (guard?.etag !== undefined && known?.etag !== guard.etag) return undefined;
        if (guard) guards.put(partition, guardRow, { recent: [], ...known?.value, ...guard.change });
        for (const entry of written) entries.put(partition, auditRow(row, entry.entryId), entry);
        const { startedOn } = record;
        if (startedOn !== undefined && stored.record.startedOn === undefined) {
          patchPointer(record.sessionId, { startedOn });
        }
        return { ...stored, record: structuredClone(record), etag: records.put(partition, row, record) };
      }),

    sessionsOfDevice: (deviceCorrelationId, top, continuationToken, owner) =>
      calls.run("sessions.sessionsOfDevice", () => {
        const partition = devicePartition(deviceCorrelationId);
        const after = continuationToken === undefined ? "" : readToken(continuationToken);
        const rows = records
          .rowKeys(partition)
          .filter((row) => row > after)
          .filter((row) => owner === undefined || load(partition, row)?.record.owner === owner);
        const last = rows[top - 1];
        return {
          items: rows.slice(0, top).flatMap((row) => load(partition, row)?.record ?? []),
          ...(rows.length > top && last !== undefined && { continuationToken: writeToken(last) }),
        };
      }),

    list: ({ kind, top, after = "", owner, createdAfter }) =>
      calls.run("sessions.list", () =>
        pointers
          .all()
          .map(({ value }) => value)
          .filter((pointer) => pointer.sessionId > after && pointer.kind === kind && pointer.createdOn > createdAfter)
          .filter((pointer) => pointer.prunedOn === undefined && (owner === undefined || pointer.owner === owner))
          .slice(0, top)
          .map(({ partition: _partition, row: _row, ...listed }) => listed),
      ),

    auditEntries: ({ partition, row }) =>
      calls.run("sessions.auditEntries", () => {
        return entryRows(tables, partition, row).flatMap((key) => entries.get(partition, key)?.value ?? []);
      }),

    async *dueRows(shard, now) {
      const { from, through } = duePartitions(shard, now);
      const rows = await calls.run("sessions.dueRows", () =>
        expiry.all().filter(({ partition, value }) => partition >= from && partition <= through && value.dueOn <= now),
      );
      yield* rows.map(({ value }) => value);
    },

    dueRow: ({ expiryPartition, creationId }) =>
      calls.run("sessions.dueRow", () => expiry.get(expiryPartition, creationId)?.value),

    oldestDue: (now) =>
      calls.run("sessions.oldestDue", () => {
        const due = expiry.all().map(({ value }) => value.dueOn);
        return due.filter((time) => time <= now).sort()[0];
      }),

    unschedule: (rows) =>
      calls.run("sessions.unschedule", () =>
        rows.filter(({ expiryPartition, creationId }) => !expiry.remove(expiryPartition, creationId)),
      ),

    dropSchedule: (creationId) =>
      calls.run("sessions.dropSchedule", () => {
        const { from, before } = shardPartitions(creationId);
        for (const { partition, row } of expiry.all()) {
          if (partition >= from && partition < before && row === creationId) expiry.remove(partition, row);
        }
      }),

    markPruned: (sessionId, prunedOn) => calls.run("sessions.markPruned", () => patchPointer(sessionId, { prunedOn })),

    restorePointer: ({ partition, row, record }, prunedOn) =>
      calls.run("sessions.restorePointer", () => {
        pointTo(tables, partition, row, record);
        patchPointer(record.sessionId, { prunedOn });
      }),

    purge: ({ partition, row, record }) =>
      calls.run("sessions.purge", () => {
        const keyPartition = record.keyPartition ?? partition;
        for (const key of entryRows(tables, partition, row)) entries.remove(partition, key);
        if (keys.get(keyPartition, record.idempotencyRowKey)?.value.creationId === record.creationId) {
          keys.remove(keyPartition, record.idempotencyRowKey);
        }
        pointers.remove(record.sessionId, record.sessionId);
        records.remove(partition, row);
        dropIdleGuard(partition);
      }),

    probe: () => calls.run("sessions.probe", () => undefined),
  };
}

function writeToken(row: string): string {
  return Buffer.from(`after ${row}`).toString("base64url");
}

function readToken(token: string): string {
  const [word, row = ""] = Buffer.from(token, "base64url").toString().split(" ");
  if (word !== "after") throw badArgument();
  return row;
}
