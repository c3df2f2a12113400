import assert from "node:assert/strict";
import type { DeliveryTarget } from "../../../src/events/delivery-target.ts";
import { createPublisher } from "../../../src/events/publisher.ts";
import type { CreateRequest } from "../../../src/face/codec.ts";
import type { SessionKind, SessionRequest } from "../../../src/face/model.ts";
import type { Bookmarks } from "../../../src/liveness/model/bookmarks.ts";
import type { Caller } from "../../../src/liveness/model/caller.ts";
import type { Clock } from "../../../src/liveness/model/clock.ts";
import type { Images } from "../../../src/liveness/model/images.ts";
import type { Ports, Stores } from "../../../src/liveness/model/ports.ts";
import type { SessionRecord } from "../../../src/liveness/model/session.ts";
import type { OpenSessionDeps } from "../../../src/liveness/open/open-session.ts";
import type { OpenSessionCommand } from "../../../src/liveness/open/plan-session.ts";
import type { RecordResultDeps } from "../../../src/liveness/result/record-result.ts";
import type { MaintainDeps, MaintenanceFailure } from "../../../src/liveness/retain/maintain.ts";
import { defaultRetryPolicy } from "../../../src/storage/azure/send-request.ts";
import type { StorageTables } from "../../../src/storage/azure/table.ts";
import { createTableStores } from "../../../src/storage/create-stores.ts";
import { type Calls, createCalls, type Hook, type Outcome, outcomeOf } from "./calls.ts";
import { createFakeFaceService, createService, type Service } from "./face-service.ts";
import { type Blobs, createBlobs, createFakeBookmarks, createFakeImages } from "./image-store.ts";
import type { MemoryTable } from "./memory-table.ts";
import { createStorage, type Storage, type Tables, viewTables } from "./tables.ts";

/** The service, the time and the processes of the app, on any storage. */
export interface Stage {
  service: Service;
  /** Receivers of events, of all processes that start later. */
  targets: DeliveryTarget[];
  /** Milliseconds since the epoch. */
  now(): number;
  advance(time: { seconds?: number; minutes?: number; hours?: number; days?: number }): void;
  /** Starts a process of the app. `hook` may let its calls fail or stop it. */
  start(hook?: Hook): Process;
}

/**
 * Everything outside the app: storage, the service, the time. It is independent of the processes that are started in it.
 * The stores are the real ones, on tables in memory.
 */
export interface World extends Stage {
  tables: Tables;
  /** The tables, for rows of any kind. */
  storage: Storage;
  blobs: Blobs;
  /** All stored rows, images and bookmarks without ETags, for comparing and searching. */
  everything(): object;
  /** The record of the only session. Throws if there are more or none. */
  record(): SessionRecord;
}

export interface Process {
  calls: Calls;
  deps: OpenSessionDeps &
    RecordResultDeps &
    Pick<Ports, keyof Stores | "retention" | "bookmarks"> & { targets: readonly DeliveryTarget[] };
  /** Dependencies of a run. Defaults: no effective rate limit, one worker; failures are collected in `failures`. */
  maintenance(options?: Partial<MaintainDeps>): MaintainDeps & { failures: MaintenanceFailure[] };
  /** Runs an operation until it ends or the process is stopped. */
  attempt<T>(operation: (deps: Process["deps"]) => Promise<T>): Promise<Outcome<T>>;
}

export const startOfTime = Date.parse("2026-03-01T12:00:00.000Z");

/** The storage of a process. */
export interface Connected {
  tables: Pick<StorageTables, "sessions" | "sessionIds" | "expiry" | "users" | "outcomes">;
  images: Images;
  bookmarks: Bookmarks;
}

/** @param connect returns the storage of a process that makes its requests through `calls`. */
export function createStage(connect: (calls: Calls, now: Clock) => Connected): Stage {
  const service = createService();
  const targets: DeliveryTarget[] = [];
  let nowMs = startOfTime;
  let ids = 0;
  const now = () => nowMs;

  function start(hook?: Hook): Process {
    const calls = createCalls(hook);
    const { tables, images, bookmarks } = connect(calls, now);
    const connection = { ...tables, retryPolicy: { ...defaultRetryPolicy, sleep: async () => undefined }, now };
    const stores = createTableStores(connection);
    const own = targets.map(
      (target): DeliveryTarget => ({
        ...target,
        deliver: (...args) => calls.run(`${target.name}.deliver`, () => target.deliver(...args)),
      }),
    );
    const deps = {
      face: createFakeFaceService(service, calls, now),
      ...stores,
      targets: own,
      publish: createPublisher({ targets: own, outbox: stores.outbox, now, waitMs: 100, onGivenUp: () => undefined }),
      images,
      bookmarks,
      now,
      newId() {
        ids += 1;
        return `c0ffee00-0000-4000-8000-${String(ids).padStart(12, "0")}`;
      },
      rules: { requireClientDigest: false },
      policy: { allowDeviceSetInClient: false, confidenceFloor: 0, userIdKey: "a-key-for-user-ids-of-32-characters" },
      limits: {
        ...{ creations: 10, ownerCreations: 20, ownerImages: 20, windowSeconds: 600 },
        ...{ lockoutRejections: 5, lockoutSeconds: 1800 },
      },
      retention: { sessionHours: 48, outcomeDays: 90 },
    };
    return {
      calls,
      deps,
      maintenance(options) {
        const failures: MaintenanceFailure[] = [];
        return {
          ...deps,
          concurrency: 1,
          faceCallsPerSecond: 1_000_000,
          onFailure: (failure) => failures.push(failure),
          failures,
          ...options,
        };
      },
      attempt: (operation) => outcomeOf(calls, () => operation(deps)),
    };
  }

  return {
    service,
    targets,
    now,
    start,
    advance({ seconds = 0, minutes = 0, hours = 0, days = 0 }) {
      nowMs += (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
    },
  };
}

export function createWorld(): World {
  const storage = createStorage();
  const tables = viewTables(storage);
  const blobs = createBlobs();
  const stage = createStage((calls, now) => ({
    tables: {
      sessions: storage.sessions.open(calls),
      sessionIds: storage.sessionIds.open(calls),
      expiry: storage.expiry.open(calls),
      users: storage.users.open(calls),
      outcomes: storage.outcomes.open(calls),
    },
    images: createFakeImages(blobs, calls, now),
    bookmarks: createFakeBookmarks(blobs, calls),
  }));
  return {
    ...stage,
    tables,
    storage,
    blobs,
    everything: () => ({
      ...Object.fromEntries(
        Object.entries(storage).map(([name, table]: [string, MemoryTable]) => [
          name,
          table.all().map(({ etag: _, ...row }) => row),
        ]),
      ),
      images: [...blobs.images]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, { facts, bytes }]) => [
          name,
          { ...facts, version: "", bytes: Buffer.from(bytes).toString("base64") },
        ]),
      bookmarks: [...blobs.bookmarks],
    }),
    record() {
      const [only, ...others] = tables.records.all();
      if (only === undefined || others.length > 0) throw new Error(`There are ${others.length} records`);
      const { idempotencyRowKey: _, expiryPartition: __, keyPartition: ___, movedFrom: ____, ...record } = only.value;
      return record;
    },
  };
}

/** The id of the first session at the service. */
export function sessionAt({ service }: Stage): string {
  return service.live.keys().next().value ?? assert.fail("the service has no session");
}

/** Rows that contain the text, and all images, by table; only what there is. */
export function tracesOf(world: World, text: string): Record<string, object[]> {
  const found = Object.entries(world.everything() as Record<string, object[]>).map(([table, rows]) => [
    table,
    table === "images" ? rows : rows.filter((row) => JSON.stringify(row).includes(text)),
  ]);
  return Object.fromEntries(found.filter(([, rows]) => rows?.length));
}

/**
 * Asserts that storage contains no rows, images and bookmarks, besides the events that announce erasures and the time up to
 * which the lists across devices are complete.
 */
export function assertNothingStored(world: World, message?: string): void {
  const announcement = "!event_";
  const rest = Object.entries(world.everything()).map(([name, rows]: [string, object[]]) => [
    name,
    rows.filter((row) => !("partitionKey" in row) || !isKept(row)),
  ]);
  function isKept(row: { partitionKey?: unknown; partition?: unknown; place?: unknown; rowKey?: unknown }): boolean {
    const places = [row.partitionKey, row.partition, row.place].map(String);
    return row.rowKey === "complete" || places.some((place) => place.startsWith(announcement));
  }
  assert.deepEqual(Object.fromEntries(rest), createWorld().everything(), message);
}

/** Asserts the same of a world in which the retention of the announcements has ended. */
export function assertNothingLeft(world: World, message?: string): void {
  assertNothingStored(world, message);
  assert.equal(JSON.stringify(world.everything()).includes("!event_"), false, message);
}

export const trusted: Caller = { trusted: true, clientName: "a-service" };

/** A command to open a session for a device named `a-device`, by a trusted service. */
export function command(
  options: Partial<Omit<CreateRequest, "request">> & {
    kind?: SessionKind;
    request?: Partial<SessionRequest>;
    caller?: Caller;
  } = {},
): OpenSessionCommand {
  const { kind = options.image || options.referenceImageId ? "livenessWithVerify" : "liveness" } = options;
  return {
    apiVersion: "v1.2",
    caller: trusted,
    ...options,
    kind,
    request: {
      livenessOperationMode: "Passive",
      deviceCorrelationId: "a-device",
      deviceCorrelationIdSetInClient: false,
      authTokenTimeToLiveInSeconds: 600,
      ...options.request,
    },
  };
}
