import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { TransactionAction } from "@azure/data-tables";
import * as z from "zod";
import { services } from "../../../src/liveness/model/caller.ts";
import type { ScheduleEntry } from "../../../src/liveness/model/schedule.ts";
import { collectDueOn, sessionLifeMs } from "../../../src/liveness/retain/retention.ts";
import { connectStorage } from "../../../src/storage/azure/table.ts";
import { inTransactions } from "../../../src/storage/azure/transactions.ts";
import { createTableStores } from "../../../src/storage/create-stores.ts";
import {
  creationKeyRow,
  devicePartition,
  expiryPartition,
  guardRow,
  sessionRow,
  writePlace,
} from "../../../src/storage/rows/keys.ts";
import {
  type SessionRow,
  writeGuard,
  writeKey,
  writePointer,
  writeSessionRow,
} from "../../../src/storage/rows/rows.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { makeImage } from "../../fixtures/images.ts";
import type { Stack } from "../../local/stack.ts";
import { createClient, creation, emulatorState, openSessionShape, playAttempt, sessionsPath } from "./app-client.ts";
import { inParallel } from "./in-parallel.ts";
import { viewStorage } from "./storage-view.ts";

const ttlSeconds = 600;
const perDevice = 25;
const facts = { contentType: "image/png", width: 100, height: 100, sha256: "0".repeat(64) } as const;

/** The attempts of each session's device, and the decision that the session must end with. */
const scenarios = [
  [["realface"], "accepted"],
  [["realface"], "accepted"],
  [["realface"], "accepted"],
  [["FaceTrackingFailed", "realface"], "accepted"],
  [["spoofface"], "rejected"],
  [[], "inconclusive"],
] as const;

type SeededSession = Awaited<ReturnType<typeof seedBacklog>>[number];

/**
 * Writes sessions as creations do, at the service and in storage; every tenth has an uploaded image. The rows are written
 * in transactions, because that takes a fraction of the time of as many creations.
 */
export async function seedBacklog(stack: Stack, count: number) {
  const connection = connectStorage({ connectionString: stack.azurite.connectionString });
  const { sessions, schedule } = createTableStores(connection);
  const images = createImages(connection);
  // The first use of a table creates it.
  await Promise.all([sessions.probe(), sessions.find("unknown"), schedule.oldestDue("2000"), images.probe()]);
  const { now } = await emulatorState(stack);
  const iso = (ms: number) => new Date(Date.parse(now) + ms).toISOString();
  const times = {
    createdOn: iso(0),
    tokenExpiresOn: iso(ttlSeconds * 1000),
    expiresOn: iso(sessionLifeMs),
    ttlSeconds,
  };
  const seeded: { sessionId: string; creationId: string; decision: string; attempts: number }[] = [];
  const due: ScheduleEntry[] = [];
  const rows = new Map<string, TransactionAction[]>();

  await inParallel(count, 16, async (number) => {
    const [played, decision] = scenarios[number % scenarios.length] ?? scenarios[0];
    const deviceCorrelationId = `device-${Math.floor(number / perDevice)}`;
    const partition = devicePartition(deviceCorrelationId);
    const { sessionId } = await openAtService(stack, deviceCorrelationId, played);
    const creationId = randomUUID();
    const uploads = number % 10 === 0;
    const idempotencyRowKey = creationKeyRow(creationId);
    const row = sessionRow(times.createdOn, creationId);
    const dueOn = collectDueOn(times.tokenExpiresOn);
    const columns = { idempotencyRowKey, expiryPartition: expiryPartition(creationId, dueOn) };
    const record: SessionRow = {
      ...{ creationId, sessionId, kind: "liveness", deviceCorrelationId, ...columns },
      ...times,
      ...{ apiVersion: "v1.2", upstreamVersion: "v1.2", status: "NotStarted", attempts: 0, final: false, reasons: [] },
      countedFor: services,
      ...(uploads && { referenceImageId: creationId }),
    };
    const key = { creationId, sessionId, countedFor: services, leaseUntil: times.createdOn, dueOn };
    const guard = { recent: [times.createdOn], rejectionsInARow: 0, changedOn: times.createdOn };
    const ofDevice = rows.get(partition) ?? [["upsert", writeGuard(partition, guardRow, guard)]];
    ofDevice.push(["upsert", writeSessionRow(partition, row, record)]);
    ofDevice.push(["upsert", writeKey(partition, idempotencyRowKey, key)]);
    rows.set(partition, ofDevice);
    const place = writePlace({ partition, idempotencyRowKey });
    due.push({ creationId, createdOn: times.createdOn, place, phase: "collect", dueOn });
    await connection.sessionIds.put(writePointer(partition, row, record));
    if (uploads) await images.put(`sessions/${creationId}`, { bytes: makeImage(), facts });
    seeded.push({ sessionId, creationId, decision, attempts: played.length });
  });
  for (const actions of rows.values()) {
    for (const chunk of inTransactions(actions)) await connection.sessions.transact(chunk);
  }
  await schedule.put(...due);
  return seeded;
}

async function openAtService(stack: Stack, deviceCorrelationId: string, played: readonly string[]) {
  const send = createClient(stack.emulator.url, { "ocp-apim-subscription-key": stack.emulator.key });
  const fields = { authTokenTimeToLiveInSeconds: ttlSeconds };
  const opened = openSessionShape.parse((await send(sessionsPath, creation(deviceCorrelationId, fields))).body);
  for (const scenario of played) await playAttempt(stack.emulator, opened, { scenario });
  return opened;
}

const recordShape = z.looseObject({ rowKey: z.string(), sessionId: z.string(), creationId: z.string() });

/** Every session that the service has deleted has its outcome in storage. This must hold at any moment. */
export async function assertNothingIsLost(stack: Stack, seeded: readonly SeededSession[]): Promise<void> {
  const live = new Set((await emulatorState(stack)).sessions.map(({ sessionId }) => sessionId));
  const outcomes = await readOutcomes(stack);
  for (const { sessionId, decision, attempts } of seeded) {
    if (live.has(sessionId)) continue;
    assert.deepEqual(outcomes.get(sessionId), { decision, attempts, entries: attempts }, `${sessionId} is lost`);
  }
}

/** Every session has one outcome and its audit entries, is deleted at the service together with its image, and is scheduled for the purge. */
export async function assertAllIsDone(stack: Stack, seeded: readonly SeededSession[]): Promise<void> {
  const outcomes = await readOutcomes(stack);
  const expected = new Map(
    seeded.map(({ sessionId, decision, attempts }) => [sessionId, { decision, attempts, entries: attempts }]),
  );
  assert.deepEqual(outcomes, expected);
  assert.deepEqual((await emulatorState(stack)).sessions, []);
  const storage = viewStorage(stack.azurite.connectionString);
  // A walk over more rows than one run reads leaves a bookmark for the next run.
  const images = (await storage.imageNames()).filter((name) => !name.startsWith("bookmarks/"));
  assert.deepEqual(images, []);
  // Events of an outcome that another run has recorded are visited once more by the next run.
  const due = (await storage.rows("expiry")).filter(({ phase }) => phase !== "deliver");
  assert.deepEqual(
    due.map(({ rowKey, phase }) => [rowKey, phase]).sort(),
    seeded.map(({ creationId }) => [creationId, "purge"]).sort(),
  );
  const listed = (await storage.rows("outcomes")).flatMap(({ sessionId, decision }) =>
    sessionId ? [[sessionId, decision]] : [],
  );
  assert.deepEqual(listed.sort(), seeded.map(({ sessionId, decision }) => [sessionId, decision]).sort());
  const pointers = await storage.rows("sessionids");
  assert.deepEqual(pointers.map(({ rowKey }) => rowKey).sort(), seeded.map(({ sessionId }) => sessionId).sort());
}

async function readOutcomes(stack: Stack) {
  const rows = await viewStorage(stack.azurite.connectionString).rows("sessions");
  const entries = Map.groupBy(
    rows.filter(({ rowKey }) => rowKey?.startsWith("a_")),
    ({ rowKey = "" }) => rowKey.slice(2, -20),
  );
  const records = rows.filter(({ rowKey }) => rowKey?.startsWith("s_")).map((row) => recordShape.parse(row));
  return new Map(
    records.map(({ rowKey, sessionId, decision, attempts }) => {
      return [sessionId, { decision, attempts, entries: entries.get(rowKey.slice(2))?.length ?? 0 }];
    }),
  );
}
