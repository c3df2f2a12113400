import { randomUUID } from "node:crypto";
import { after, type TestContext } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { services } from "../../../src/liveness/model/caller.ts";
import type { Creations, Reservation, Reserved } from "../../../src/liveness/model/creations.ts";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import type { Removals } from "../../../src/liveness/model/removals.ts";
import type { Schedule } from "../../../src/liveness/model/schedule.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "../../../src/liveness/model/session.ts";
import type { Sessions } from "../../../src/liveness/model/sessions.ts";
import { refundCreation } from "../../../src/liveness/open/limits.ts";
import type { StorageRetryPolicy } from "../../../src/storage/azure/send-request.ts";
import {
  connectStorage,
  type Entity,
  type StorageConnection,
  type StorageTables,
  type Table,
} from "../../../src/storage/azure/table.ts";
import { createTableStores } from "../../../src/storage/create-stores.ts";
import { guardRow, type KeyLocation, readPlace } from "../../../src/storage/rows/keys.ts";
import { readGuard } from "../../../src/storage/rows/rows.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { type Azurite, startAzurite } from "../../local/azurite.ts";
import { startProxy } from "./storage-proxy.ts";

let azurite: Promise<Azurite> | undefined;
after(async () => (await azurite)?.stop());

/** The Azurite that all tests of a file share, started with the first use. */
export function sharedAzurite(): Promise<Azurite> {
  azurite ??= startAzurite();
  return azurite;
}

/** The verbs of all ports on tables whose names do not collide. */
export type SessionStore = Sessions &
  Creations &
  Removals &
  ReturnType<typeof scheduleVerbs> & { sessionsOfDevice: Sessions["ofDevice"] };

export type Rig = Awaited<ReturnType<typeof openRig>>;

/**
 * The stores of one process, on Azurite behind a proxy, and functions for the rows of one device. Default of the device:
 * a new one. Retries have no delay.
 */
export async function openRig(
  t: TestContext,
  options: { connectionString?: string; device?: string; retryPolicy?: Partial<StorageRetryPolicy> } = {},
) {
  const { device = someDevice(), retryPolicy } = options;
  const proxy = await startProxy(t, options.connectionString ?? (await sharedAzurite()).connectionString);
  const connection = connectStorage({
    connectionString: proxy.connectionString,
    retryPolicy: { firstDelayMs: 1, ...retryPolicy },
  });
  return { connection, images: createImages(connection), proxy, device, ...processOn({ connection, device }) };
}

/** The stores of one process, and a committed session of the device. */
export async function openWithSession(t: TestContext, fields?: Partial<SessionRecord>) {
  const rig = await openRig(t);
  return { ...rig, stored: await rig.committed(fields) };
}

/** Two processes and one device. */
export function openTwo(t: TestContext): Promise<[Rig, Rig]> {
  const device = someDevice();
  return Promise.all([openRig(t, { device }), openRig(t, { device })]);
}

/** The stores of a process that shares connection and device with a rig, and none of its caches. */
export function processOn({ connection, device }: { connection: StorageConnection; device: string }) {
  const sessions = createSessionStore(connection);
  const reservationHere = (more: Partial<Reservation> = {}) => reservation({ deviceCorrelationId: device, ...more });
  const rows = (partition = device) => rowsOf(connection.sessions, partition);
  return {
    sessions,
    reservation: reservationHere,
    reserved: (more?: Partial<Reservation>) => reserved(sessions, reservationHere(more)),
    /** A reserved place, and the record to commit. */
    async begun(more?: Partial<Reservation>, fields?: Partial<SessionRecord>) {
      const request = reservationHere(more);
      return { place: await reserved(sessions, request), record: newRecord(request, fields) };
    },
    /** Reserves and commits a session, and loads it. */
    async committed(fields: Partial<SessionRecord> = {}): Promise<StoredSession> {
      const { deviceCorrelationId = device, countedFor = services } = fields;
      const request = reservation({ deviceCorrelationId, countedFor });
      const place = await reserved(sessions, request);
      const record = newRecord(request, fields);
      if (!(await sessions.commit(place, record))) throw new Error("The commit was refused");
      const stored = await sessions.find(record.sessionId);
      if (stored === undefined) throw new Error("The session is not there");
      return stored;
    },
    /** Releases the key and the place of a creation, like a failed creation. */
    async giveUp({ taken, ...place }: Reserved & { taken: string }): Promise<void> {
      await sessions.release(place);
      await sessions.editGuard(place, (guard) => refundCreation(guard, taken, Date.parse(taken)));
    },
    /** All rows of the device. */
    rows,
    rowKeys: async (partition?: string) => (await rows(partition)).map(({ rowKey }) => rowKey),
    pointersOf: (sessionId: string) => rowsOf(connection.sessionIds, sessionId),
    /** The device's guard, of services by default. Undefined where it does not exist. */
    async storedGuard(row = guardRow): Promise<Guard | undefined> {
      const entity = await connection.sessions.get(device, row);
      return entity && readGuard(entity);
    },
  };
}

export function createSessionStore(connection: StorageTables): SessionStore {
  const { creations, removals, sessions, schedule } = createTableStores(connection);
  return { ...creations, ...removals, ...sessions, sessionsOfDevice: sessions.ofDevice, ...scheduleVerbs(schedule) };
}

function scheduleVerbs({ put, dueEntries, get, oldestDue, missing, remove, removeAll }: Schedule) {
  return {
    ...{ schedule: put, dueEntries, dueRow: get, oldestDue, unscheduled: missing, unschedule: remove },
    ...{ dropSchedule: removeAll },
  };
}

export const someDevice = () => `device-${randomUUID()}`;

/** Records each creation in the guard and refuses none. */
export function admitAll(guard: Guard | undefined, time = new Date().toISOString()): Guard {
  return { rejectionsInARow: 0, ...guard, recent: [...(guard?.recent ?? []), time], changedOn: time };
}

/** Admits this many creations of a device, like the limits. */
export function admitUpTo(limit: number, time?: string) {
  return (guard: Guard | undefined): Guard => {
    if ((guard?.recent.length ?? 0) >= limit) throw new ApiError(429, "429", "Rate limit is exceeded.");
    return admitAll(guard, time);
  };
}

export const refusal = new ApiError(429, "429", "too many");

/** Refuses creations of devices that have a guard. */
export function refuseKnown(guard: Guard | undefined): Guard {
  if (guard !== undefined) throw refusal;
  return admitAll(guard);
}

export function reservation(overrides: Partial<Reservation> = {}): Reservation {
  return {
    creationId: randomUUID(),
    countedFor: services,
    leaseUntil: new Date(Date.now() + 30_000).toISOString(),
    // The beginning of a bucket, which is what a key row keeps.
    dueOn: new Date(Math.ceil(Date.now() / 300_000) * 300_000 + 600_000).toISOString(),
    ...overrides,
  };
}

/** A place, with the keys of its key row and the time that the guard notes. */
export interface Taken extends Reserved, KeyLocation {
  taken: string;
}

/** Reserves a place that must be free, with the time in its guard. */
export async function reserved(sessions: Creations, request: Reservation): Promise<Taken> {
  const taken = new Date().toISOString();
  const outcome = await sessions.reserve(request, (guard) => admitAll(guard, taken));
  if (!("reserved" in outcome)) throw new Error("The place was taken");
  const { reserved } = outcome;
  return { ...reserved, ...readPlace(reserved.place), taken };
}

export function newRecord(request: Reservation, overrides: Partial<SessionRecord> = {}): SessionRecord {
  const start = Date.now();
  const after = (ms: number) => new Date(start + ms).toISOString();
  return {
    creationId: request.creationId,
    sessionId: randomUUID(),
    kind: "liveness",
    apiVersion: "v1.2",
    upstreamVersion: "v1.2",
    createdOn: after(0),
    tokenExpiresOn: after(600_000),
    expiresOn: after(172_800_000),
    ttlSeconds: 600,
    status: "NotStarted",
    attempts: 0,
    final: false,
    reasons: [],
    countedFor: request.countedFor,
    ...(request.deviceCorrelationId !== undefined && { deviceCorrelationId: request.deviceCorrelationId }),
    ...overrides,
  };
}

/** An entry of the session's audit trail. */
export function audit({ record }: StoredSession, entryId = "1", message = "x"): AuditRecord {
  const entry = { attemptId: 1, attemptStatus: "Failed", error: { code: "TimedOut", message } };
  return { entryId, sessionId: record.sessionId, receivedOn: record.createdOn, entry };
}

/** All rows of a partition. */
export async function rowsOf(table: Table, partition: string): Promise<Entity[]> {
  return collect(table.query({ where: { PartitionKey: partition } }));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
