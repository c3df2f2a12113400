import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { services } from "../../../src/liveness/model/caller.ts";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import type { ImageStore, Reservation, Reserved, SessionStore } from "../../../src/liveness/model/ports.ts";
import type { SessionRecord, StoredSession } from "../../../src/liveness/model/session.ts";
import { refundCreation } from "../../../src/liveness/open/limits.ts";
import { connectStorage, type StorageConnection } from "../../../src/storage/azure/connect.ts";
import type { StorageRetryPolicy } from "../../../src/storage/azure/send-request.ts";
import type { Entity, Table } from "../../../src/storage/azure/table.ts";
import { createDeviceStore } from "../../../src/storage/stores/devices.ts";
import { createImageStore } from "../../../src/storage/stores/images.ts";
import { createSessionStore } from "../../../src/storage/stores/sessions.ts";
import { type StorageProxy, startProxy } from "./storage-proxy.ts";

export interface Rig {
  connection: StorageConnection;
  sessions: SessionStore;
  images: ImageStore;
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
  return { connection, sessions: createSessionStore(connection), images: createImageStore(connection), proxy };
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
    ...overrides,
  };
}

/** Reserves a place that must be free, with the time in its guard. */
export async function reserved(sessions: SessionStore, request: Reservation): Promise<Reserved & { taken: string }> {
  const taken = new Date().toISOString();
  const outcome = await sessions.reserve(request, (guard) => admitAll(guard, taken));
  if (!("reserved" in outcome)) throw new Error("The place was taken");
  return { ...outcome.reserved, taken };
}

/** Releases the key and the place of a creation, like a failed creation. */
export async function giveUp(
  { sessions, connection }: Pick<Rig, "sessions" | "connection">,
  { taken, ...place }: Reserved & { taken: string },
): Promise<void> {
  await sessions.release(place);
  const refund = (guard: Guard | undefined) => refundCreation(guard, taken, Date.parse(taken));
  await createDeviceStore(connection).updateGuard(place.partition, place.key.countedFor, refund);
}

export function newRecord(
  sessions: SessionStore,
  request: Reservation,
  place: Reserved,
  overrides: Partial<SessionRecord> = {},
): SessionRecord {
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
    idempotencyRowKey: place.idempotencyRowKey,
    expiryPartition: sessions.expiryPartition(request.creationId, after(720_000)),
    ...(request.deviceCorrelationId !== undefined && { deviceCorrelationId: request.deviceCorrelationId }),
    ...overrides,
  };
}

/** Reserves and commits a session, and loads it. */
export async function committed(
  sessions: SessionStore,
  deviceCorrelationId: string | undefined = someDevice(),
  overrides: Partial<SessionRecord> = {},
): Promise<StoredSession> {
  const request = reservation({ deviceCorrelationId });
  const place = await reserved(sessions, request);
  const record = newRecord(sessions, request, place, overrides);
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
