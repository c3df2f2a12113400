import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { services } from "../../../src/liveness/model/caller.ts";
import type { SessionRecord, StoredSession } from "../../../src/liveness/model/session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { collectDueOn, sessionLifeMs } from "../../../src/liveness/retain/retention.ts";
import { locationOf, type RecordLocation } from "../../../src/storage/rows/keys.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Outcome, play, realFace } from "./face-service.ts";
import { createWorld, type Stage, trusted, type World } from "./world.ts";

export interface Seed extends Partial<SessionRecord> {
  /** The verify image is uploaded with the creation and stored under its id. */
  uploads?: boolean;
  /** The device is set in the client and not reported yet. */
  setInClient?: boolean;
}

/** The record of a new session created at this time. */
export function newRecord(nowMs: number, more: Partial<SessionRecord> = {}): SessionRecord {
  const { ttlSeconds = 600 } = more;
  const iso = (ms: number) => new Date(ms).toISOString();
  return {
    creationId: "c0ffee00-0000-4000-8000-000000000000",
    sessionId: "5e551011-0000-4000-8000-000000000000",
    kind: "liveness",
    deviceCorrelationId: "a-device",
    apiVersion: "v1.2",
    upstreamVersion: "v1.2",
    createdOn: iso(nowMs),
    tokenExpiresOn: iso(nowMs + ttlSeconds * 1000),
    expiresOn: iso(nowMs + sessionLifeMs),
    ttlSeconds,
    status: "NotStarted",
    attempts: 0,
    final: false,
    reasons: [],
    countedFor: services,
    ...more,
  };
}

/** Creates a session with all that a creation writes at the service and in storage, and makes these attempts. */
export async function seedSession(
  world: Stage,
  { uploads = false, setInClient = false, ...more }: Seed = {},
  ...attempts: Outcome[]
): Promise<StoredSession & RecordLocation> {
  const { face, creations, sessions, schedule, images, newId } = world.start().deps;
  const creationId = newId();
  const { kind = uploads ? "livenessWithVerify" : "liveness", ttlSeconds = 600 } = more;
  const device = setInClient ? {} : { deviceCorrelationId: more.deviceCorrelationId ?? "a-device" };
  const { value: created } = await face.create(kind, {
    livenessOperationMode: "Passive",
    deviceCorrelationIdSetInClient: setInClient,
    authTokenTimeToLiveInSeconds: ttlSeconds,
    ...device,
  });
  const { deviceCorrelationId: _, ...times } = newRecord(world.now(), { ttlSeconds });
  const countedFor = more.owner ?? services;
  const dueOn = collectDueOn(times.tokenExpiresOn);
  const place = { creationId, countedFor, leaseUntil: times.createdOn, dueOn, ...device };
  const outcome = await creations.reserve(place, (guard) => ({
    rejectionsInARow: 0,
    ...guard,
    recent: [...(guard?.recent ?? []), times.createdOn],
    changedOn: times.createdOn,
  }));
  if (!("reserved" in outcome)) throw new Error("the creation exists already");
  const bytes = makeImage();
  const facts = inspectImage(bytes);
  const image = { referenceImageId: creationId, referenceImageHash: facts.sha256 };
  const record: SessionRecord = {
    ...times,
    ...{ creationId, sessionId: created.sessionId, kind, countedFor },
    ...device,
    ...(uploads && image),
    ...more,
  };
  const { createdOn } = record;
  await schedule.put({ creationId, createdOn, place: outcome.reserved.place, phase: "collect", dueOn });
  if (uploads) await images.put(`sessions/${creationId}`, { bytes, facts, ...device });
  await creations.commit(outcome.reserved, record);
  const stored = await sessions.find(created.sessionId);
  if (stored === undefined) throw new Error("session not found");
  for (const attempt of attempts) play(world.service, created.sessionId, attempt);
  return { ...stored, ...locationOf(stored) };
}

/** A world with one session and these attempts of it. */
export async function seedWorld(seed: Seed = {}, ...attempts: Outcome[]) {
  const world = createWorld();
  const stored = await seedSession(world, seed, ...attempts);
  const { record } = stored;
  return { world, stored, record, sessionId: record.sessionId };
}

/** The same when the session is due for collecting. */
export async function dueWorld(...seed: Parameters<typeof seedWorld>): Promise<World> {
  const { world } = await seedWorld(...seed);
  world.advance({ minutes: 12 });
  return world;
}

/** Creates a session with these attempts, and settles it. Default: one attempt with a real face. Returns its id. */
export async function seedSettled(world: Stage, seed: Seed = {}, ...attempts: Outcome[]): Promise<string> {
  const { sessionId } = (await seedSession(world, seed, ...(attempts.length > 0 ? attempts : [realFace()]))).record;
  await settleSession(world.start().deps, trusted, sessionId, {});
  return sessionId;
}
