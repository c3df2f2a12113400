import { amendRecord } from "./amend-record.ts";
import type { Limits } from "./limits.ts";
import { createPace } from "./pace.ts";
import type { Clock, DeviceStore, DueRow, FaceService, ImageStore, Phase, SessionStore } from "./ports.ts";
import { purgeSession } from "./purge-session.ts";
import { type DecisionRules, recordResult } from "./record-result.ts";
import { pruneDueOn, purgeDueOn } from "./retention.ts";
import type { StoredSession } from "./session.ts";

export interface MaintainDeps {
  face: FaceService;
  sessions: SessionStore;
  devices: DeviceStore;
  images: ImageStore;
  now: Clock;
  rules: DecisionRules;
  limits: Limits;
  retention: { sessionHours: number; outcomeDays: number };
  /** Sessions worked on at the same time. */
  concurrency: number;
  faceCallsPerSecond: number;
  onFailure(failure: MaintenanceFailure): void;
}

export interface MaintenanceFailure {
  creationId: string;
  phase: Phase;
  cause: unknown;
}

export interface MaintenanceSummary {
  collected: number;
  pruned: number;
  purged: number;
  /** Creations that never got as far as their commit. */
  abandoned: number;
  failed: number;
}

const shards = Array.from({ length: 16 }, (_, shard) => shard);

/** Works on all that is due until nothing is, or until the deadline (milliseconds since the epoch). */
export async function drain(deps: MaintainDeps, deadline: number): Promise<MaintenanceSummary> {
  const total: MaintenanceSummary = { collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0 };
  const paced = { ...deps, face: paceFace(deps) };
  const waiting = [...shards];
  const worker = async () => {
    for (let shard = waiting.shift(); shard !== undefined; shard = waiting.shift()) {
      add(total, await drainShard(paced, shard, deadline));
    }
  };
  await Promise.all(Array.from({ length: Math.min(deps.concurrency, shards.length) }, worker));
  return total;
}

/** One shard, oldest first. A session that fails is told to `onFailure`, stays due, and stops no other. */
export async function drainShard(deps: MaintainDeps, shard: number, deadline: number): Promise<MaintenanceSummary> {
  const summary: MaintenanceSummary = { collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0 };
  for await (const due of deps.sessions.dueRows(shard, iso(deps.now()))) {
    if (deps.now() >= deadline) break;
    try {
      summary[await attend(deps, due)] += 1;
    } catch (cause) {
      summary.failed += 1;
      deps.onFailure({ creationId: due.creationId, phase: due.phase, cause });
    }
  }
  return summary;
}

type Done = Exclude<keyof MaintenanceSummary, "failed">;

async function attend(deps: MaintainDeps, due: DueRow): Promise<Done> {
  const stored = await deps.sessions.load(due.partition, due.row);
  if (stored === undefined) return abandon(deps, due);
  switch (due.phase) {
    case "collect":
      await collect(deps, due, stored);
      return "collected";
    case "prune":
      await prune(deps, due, stored);
      return "pruned";
    case "purge":
      await purgeSession(deps, stored);
      await deps.sessions.unschedule([due]);
      return "purged";
  }
}

/** A creation that stopped before its commit, or a session that was erased: only traces are left of it. */
async function abandon({ sessions, devices, images }: MaintainDeps, due: DueRow): Promise<Done> {
  await devices.dropPointers(due.partition, due.row);
  await images.delete(`sessions/${due.creationId}`);
  await sessions.dropKey(due.partition, due.idempotencyRowKey, due.creationId);
  await sessions.unschedule([due]);
  return "abandoned";
}

async function collect(deps: MaintainDeps, due: DueRow, stored: StoredSession): Promise<void> {
  const { final, status } = stored.record;
  // One that the service did not know while its token lived may have been used all the same.
  const isKnown = final && status !== "Expired";
  const current = isKnown ? stored : (await recordResult(deps, stored)).stored;
  await moveOn(deps, due, current, "prune", pruneDueOn(current.record.createdOn, deps.retention.sessionHours));
}

/** The outcome is recorded before anything is removed anywhere. */
async function prune(deps: MaintainDeps, due: DueRow, stored: StoredSession): Promise<void> {
  const current = stored.record.final ? stored : (await recordResult(deps, stored)).stored;
  const { record } = current;
  if (deps.now() < Date.parse(record.expiresOn)) await deps.face.revoke(record);
  if (record.referenceImageId === record.creationId) await deps.images.delete(`sessions/${record.creationId}`);
  await deps.sessions.markPruned(record.sessionId, iso(deps.now()));
  await moveOn(deps, due, current, "purge", purgeDueOn(record.createdOn, deps.retention.outcomeDays));
}

/** The record learns where its next row stands before the old one goes: an erasure must find it. */
async function moveOn(
  { sessions }: MaintainDeps,
  due: DueRow,
  stored: StoredSession,
  phase: Phase,
  dueOn: string,
): Promise<void> {
  const expiryPartition = sessions.expiryPartition(stored.record.creationId, dueOn);
  // Recording the result may have moved the session to its device.
  const { partition, row } = stored;
  const next: DueRow = { ...due, partition, row, phase, dueOn, expiryPartition };
  const [moved] = await Promise.all([
    amendRecord(sessions, stored, (record) => ({ record: { ...record, expiryPartition } })),
    sessions.schedule(next),
  ]);
  // Erased meanwhile: a row that names the device must not outlive it.
  if (moved === undefined) await sessions.unschedule([next]);
  if (expiryPartition !== due.expiryPartition) await sessions.unschedule([due]);
}

function paceFace({ face, faceCallsPerSecond }: MaintainDeps): FaceService {
  const pace = createPace(faceCallsPerSecond);
  return {
    ...face,
    get: async (session) => pace().then(() => face.get(session)),
    revoke: async (session) => pace().then(() => face.revoke(session)),
  };
}

function add(total: MaintenanceSummary, part: MaintenanceSummary): void {
  total.collected += part.collected;
  total.pruned += part.pruned;
  total.purged += part.purged;
  total.abandoned += part.abandoned;
  total.failed += part.failed;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
