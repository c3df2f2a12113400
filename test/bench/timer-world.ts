import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { FaceService } from "../../src/face/client/face-service.ts";
import { services } from "../../src/liveness/model/caller.ts";
import type { Creations } from "../../src/liveness/model/creations.ts";
import type { Devices } from "../../src/liveness/model/devices.ts";
import type { DeliverySchedule, Outbox } from "../../src/liveness/model/events.ts";
import type { Images } from "../../src/liveness/model/images.ts";
import type { EventIndex, OutcomeIndex } from "../../src/liveness/model/outcome-index.ts";
import type { Place } from "../../src/liveness/model/references.ts";
import type { Removals } from "../../src/liveness/model/removals.ts";
import type { Schedule, ScheduleEntry } from "../../src/liveness/model/schedule.ts";
import type { SessionRecord, StoredSession } from "../../src/liveness/model/session.ts";
import type { SessionImages } from "../../src/liveness/model/session-images.ts";
import type { Sessions } from "../../src/liveness/model/sessions.ts";
import type { Users } from "../../src/liveness/model/users.ts";
import type { MaintainDeps } from "../../src/liveness/retain/maintain.ts";
import { located, readPlace, sessionRow, shardOf, writePlace } from "../../src/storage/rows/keys.ts";

export interface TimerWorldOptions {
  sessions: number;
  /** How long each call of the store takes. */
  storageMs: number;
  /** The same for the Face service. */
  faceMs: number;
  concurrency: number;
}

/** Sessions whose outcomes are due to be collected, all with one attempt that is not recorded yet. */
export interface TimerWorld {
  deps: MaintainDeps;
  now(): number;
  /** Rows of the calendar that were given out. */
  rowsRead(): number;
  /** Sessions whose outcome was recorded exactly once. */
  recordedOnce(): number;
  failures: unknown[];
}

const minute = 60_000;
const pageSize = 1000;

/**
 * A store and a service that take their time and keep next to nothing: each row and record is made up from the session's
 * number when it is asked for, so that whatever memory grows is the timer's.
 */
export function createTimerWorld({ sessions: total, storageMs, faceMs, concurrency }: TimerWorldOptions): TimerWorld {
  const start = Date.parse("2026-03-01T12:00:00.000Z");
  // All are created within ten minutes, and all tokens (of ten minutes more) have ended by now.
  const startTick = performance.now();
  const now = () => start + 25 * minute + (performance.now() - startTick);
  const shards = Array.from({ length: 16 }, (): number[] => []);
  for (let number = 0; number < total; number += 1) {
    const shard = Number.parseInt(shardOf(creationIdOf(number)), 16);
    shards[shard]?.push(number);
  }
  const recorded = new Uint8Array(total);
  const failures: unknown[] = [];
  let rows = 0;

  async function storage<T>(effect: () => T): Promise<T> {
    await sleep(storageMs);
    return effect();
  }

  function recordOf(number: number): SessionRecord {
    const creationId = creationIdOf(number);
    const createdMs = start + Math.floor((number / total) * 10 * minute);
    const tokenExpiresOn = iso(createdMs + 10 * minute);
    return {
      creationId,
      sessionId: creationId.replace(/^0/, "5"),
      kind: "liveness",
      deviceCorrelationId: `device-${number}`,
      apiVersion: "v1.2",
      upstreamVersion: "v1.2",
      createdOn: iso(createdMs),
      tokenExpiresOn,
      expiresOn: iso(createdMs + 48 * 60 * minute),
      ttlSeconds: 600,
      status: "NotStarted",
      attempts: 0,
      final: false,
      reasons: [],
      countedFor: services,
    };
  }

  function dueRow(number: number): ScheduleEntry {
    const { creationId, createdOn, tokenExpiresOn } = recordOf(number);
    const dueOn = iso(Date.parse(tokenExpiresOn) + 2 * minute);
    return { creationId, createdOn, place: placeOf(number), phase: "collect", dueOn };
  }

  function placeOf(number: number): Place {
    return writePlace({ partition: `device-${number}`, idempotencyRowKey: `k_${creationIdOf(number)}` });
  }

  function stored(number: number, record: SessionRecord, etag: string): StoredSession {
    const { partition, idempotencyRowKey } = readPlace(placeOf(number));
    const row = sessionRow(record.createdOn, record.creationId);
    return { record, ...located({ partition, row, etag, idempotencyRowKey, expiryPartition: "" }) };
  }

  const face: Partial<FaceService> = {
    async get({ sessionId }, options) {
      const reportResponse = await options?.gate?.();
      await sleep(faceMs);
      reportResponse?.();
      const result = { livenessDecision: "realface", digest: "a-digest" };
      const attempts = [{ attemptId: 1, attemptStatus: "Succeeded", result }];
      return { value: { sessionId, status: "Succeeded", attempts } };
    },
  };

  const sessions: Partial<Sessions> = {
    load: ({ creationId }) =>
      storage(() => {
        const number = numberOf(creationId);
        return stored(number, recordOf(number), "before");
      }),
    update: (_stored, record) =>
      storage(() => {
        const number = numberOf(record.creationId);
        recorded[number] = (recorded[number] ?? 0) + 1;
        return stored(number, record, "after");
      }),
  };

  const schedule: Partial<Schedule> = {
    put: () => storage(() => undefined),
    // The rows that follow are written before those that were due are removed.
    move: () => storage(() => undefined).then(() => storage(() => [])),
    async *dueEntries(shard) {
      const numbers = shards[shard] ?? [];
      for (let from = 0; from < numbers.length; from += pageSize) {
        const page = await storage(() => numbers.slice(from, from + pageSize));
        for (const number of page) {
          rows += 1;
          yield dueRow(number);
        }
      }
    },
  };

  return {
    now,
    rowsRead: () => rows,
    recordedOnce: () => recorded.reduce((sum, times) => sum + Number(times === 1), 0),
    failures,
    deps: {
      face: onlyWith(face),
      creations: onlyWith<Creations>({}),
      sessions: onlyWith(sessions),
      removals: onlyWith<Removals>({}),
      schedule: onlyWith(schedule),
      devices: onlyWith<Devices>({}),
      sessionImages: onlyWith<SessionImages>({}),
      images: onlyWith<Images>({}),
      users: onlyWith<Users>({}),
      outbox: onlyWith<Outbox>({}),
      deliverySchedule: onlyWith<DeliverySchedule>({ put: () => storage(() => undefined) }),
      outcomeIndex: onlyWith<OutcomeIndex>({ put: () => storage(() => undefined) }),
      eventIndex: onlyWith<EventIndex>({ put: () => storage(() => undefined) }),
      publish: async () => [],
      newId: randomUUID,
      now,
      rules: { requireClientDigest: false },
      limits: {
        creations: 10,
        ownerCreations: 20,
        ownerImages: 20,
        windowSeconds: 600,
        lockoutRejections: 5,
        lockoutSeconds: 1800,
      },
      retention: { sessionHours: 48, outcomeDays: 90 },
      concurrency,
      faceCallsPerSecond: Number.MAX_SAFE_INTEGER,
      onFailure: (failure) => failures.push(failure.cause),
    },
  };
}

/** A port of which only some verbs are there: collecting has no need of the others, and fails where it uses one. */
function onlyWith<Port extends object>(verbs: Partial<Port>): Port {
  const unexpected = (name: string) => async () => {
    throw new Error(`${name} is not expected here.`);
  };
  const port = new Proxy(verbs, {
    get: (target, name) => Reflect.get(target, name) ?? unexpected(String(name)),
  });
  // A missing verb throws, which the type allows.
  return port as Port;
}

function creationIdOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

function numberOf(creationId: string): number {
  return Number(creationId.slice(-12));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
