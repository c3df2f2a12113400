import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { services } from "../../../src/liveness/model/caller.ts";
import type { Creations, Reservation, Reserved } from "../../../src/liveness/model/creations.ts";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import type { Images } from "../../../src/liveness/model/images.ts";
import type { Removals } from "../../../src/liveness/model/removals.ts";
import type { Schedule } from "../../../src/liveness/model/schedule.ts";
import type { SessionRecord, StoredSession } from "../../../src/liveness/model/session.ts";
import type { Sessions } from "../../../src/liveness/model/sessions.ts";
import { refundCreation } from "../../../src/liveness/open/limits.ts";
import { connectStorage, type StorageConnection, type StorageTables } from "../../../src/storage/azure/connect.ts";
import type { StorageRetryPolicy } from "../../../src/storage/azure/send-request.ts";
import type { Entity, Table } from "../../../src/storage/azure/table.ts";
import { createTableStores } from "../../../src/storage/create-stores.ts";
import { type KeyLocation, readPlace } from "../../../src/storage/rows/references.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { type StorageProxy, startProxy } from "./storage-proxy.ts";

/** The verbs of all ports on tables whose names do not collide. */
export type SessionStore = Sessions &
  Creations &
  Removals &
  ReturnType<typeof scheduleVerbs> & { sessionsOfDevice: Sessions["ofDevice"] };

export interface Rig {
  connection: StorageConnection;
  sessions: SessionStore;
  images: Images;
  proxy: StorageProxy;
}

/** The stores, on Azurite behind a proxy. Retries have no delay. */
export async function openRig(
  t: TestContext,
  azurite: { connectionString: string },
  retryPolicy: Partial<StorageRetryPolicy> = {},
): Promise<Rig> {
  const proxy = await startProxy(t, azurite.connectionString);
  const connection = connectStorage({
    connectionString: proxy.connectionString,
    retryPolicy: { firstDelayMs: 1, ...retryPolicy },
  });
  return { connection, sessions: createSessionStore(connection), images: createImages(connection), proxy };
}

export function createSessionStore(connection: StorageTables): SessionStore {
  const { creations, removals, sessions, schedule } = createTableStores(connection);
  return { ...creations, ...removals, ...sessions, sessionsOfDevice: sessions.ofDevice, ...scheduleVerbs(schedule) };
}

function scheduleVerbs({ put, dueRows, get, oldestDue, missing, remove, removeAll }: Schedule) {
  return {
    ...{ schedule: put, dueRows, dueRow: get, oldestDue, unscheduled: missing, unschedule: remove },
    ...{ dropSchedule: removeAll },
  };
}

export const someDevice = () => `device-${randomUUID()}`;

/** Records each creation in the guard and refuses none. */
export function admitAll(guard: Guard | undefined, time = new Date().toISOString()): Guard {
  return { rejectionsInARow: 0, ...guard, recent: [...(guard?.recent ?? []), time], changedOn: time };
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

/** Releases the key and the place of a creation, like a failed creation. */
export async function giveUp(
  { sessions }: Pick<Rig, "sessions">,
  { taken, ...place }: Reserved & { taken: string },
): Promise<void> {
  await sessions.release(place);
  const refund = (guard: Guard | undefined) => refundCreation(guard, taken, Date.parse(taken));
  await sessions.editGuard(place, refund);
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

/** Reserves and commits a session, and loads it. */
export async function committed(
  sessions: Sessions & Creations,
  deviceCorrelationId: string | undefined = someDevice(),
  overrides: Partial<SessionRecord> = {},
): Promise<StoredSession> {
  const request = reservation({ deviceCorrelationId });
  const place = await reserved(sessions, request);
  const record = newRecord(request, overrides);
  if (!(await sessions.commit(place, record))) throw new Error("The commit was refused");
  const stored = await sessions.find(record.sessionId);
  if (stored === undefined) throw new Error("The session is not there");
  return stored;
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

export async function rowKeysOf(table: Table, partition: string): Promise<string[]> {
  return (await rowsOf(table, partition)).map(({ rowKey }) => rowKey);
}
