import { compact } from "../../compact.ts";
import { hourMs, iso, minuteMs } from "../../time.ts";
import { type Phase, type ScheduleEntry, type SettledSession, shards } from "../model/schedule.ts";
import { firstDelivery } from "../result/announce.ts";
import { addToLists, removeFromLists } from "./event-lists.ts";
import { beginRun, isInfrastructureFailure, type Run, type RunLimits } from "./maintenance-run.ts";
import {
  find,
  follow,
  type PhaseDeps,
  type PhaseOutcome,
  type PhaseState,
  phases,
  pruneTime,
  removeImage,
} from "./phases.ts";
import { DeadlineReached } from "./rate-limiter.ts";

export interface MaintainDeps extends PhaseDeps, RunLimits {
  /** Recorded attempts of sessions by creation id, which replace those in the schedule entries. Default: none. */
  recorded?: ReadonlyMap<string, SettledSession>;
  onFailure(failure: MaintenanceFailure): void;
}

/** A failure, with its session if known. */
export interface MaintenanceFailure {
  creationId?: string;
  sessionId?: string;
  phase?: Phase;
  /** Successive runs in which the session has failed. */
  failures?: number;
  /** The shard, 0 to 15, whose entries could not be read. */
  shard?: number;
  cause: unknown;
}

/** Numbers of due sessions by their outcome. A session counts once for each phase that was due. */
export interface MaintenanceSummary {
  due: number;
  collected: number;
  pruned: number;
  purged: number;
  /** Creations that were never committed. */
  abandoned: number;
  failed: number;
  /** Sessions that are still due because the run had no time left, as far as they were counted. */
  left: number;
  /** When the oldest entry was due; absent if none was. */
  oldestDueOn?: string;
}

/** Most entries of a batch, and its greatest age before it is committed with fewer entries. */
const maxBatch = 100;
const maxBatchMs = 30_000;
/** Backoff of a session that fails: doubled with each successive failure, up to the longest. */
const firstDelayMs = 5 * minuteMs;
const longestDelayMs = hourMs;

/**
 * Visits all due sessions, the oldest first across shards, until the deadline (milliseconds since the epoch). Repeated,
 * concurrent and interrupted runs are harmless: a session's entry is replaced by that of the next phase after its phase is
 * done, and all phases are idempotent.
 */
export async function drain(deps: MaintainDeps, deadline: number): Promise<MaintenanceSummary> {
  const run = beginRun(deps, deadline);
  try {
    return addSummaries(...(await Promise.all(shards.map((shard) => drainShard(deps, shard, deadline, run)))));
  } finally {
    run.end();
  }
}

/**
 * Visits one shard, the oldest entries first. A session that fails is reported to `onFailure`, stays due, and does not
 * affect others.
 *
 * @param run the run of which this is a part. Default: a run of its own.
 */
export async function drainShard(
  deps: MaintainDeps,
  shard: number,
  deadline: number,
  run?: Run,
): Promise<MaintenanceSummary> {
  if (run === undefined) {
    const own = beginRun(deps, deadline);
    return drainShard(deps, shard, deadline, own).finally(own.end);
  }
  const summary = addSummaries();
  const tools = { ...deps, face: run.face };
  const closing = new Set<Promise<void>>();
  let batch: { since: number; visits: Promise<VisitResult>[] } | undefined;
  const isFull = ({ visits, since }: NonNullable<typeof batch>) =>
    visits.length === maxBatch || deps.now() - since >= maxBatchMs;

  /** Closes a batch in the background: a slow session delays only the entries of its batch. */
  function close({ visits }: NonNullable<typeof batch>): void {
    const closed = Promise.all(visits)
      .then((ended) => commitBatch(tools, ended))
      .then((ended) => count(deps, summary, ended))
      .finally(() => closing.delete(closed));
    closing.add(closed);
  }

  try {
    for await (const due of deps.schedule.dueEntries(shard, run.startedOn)) {
      summary.due += 1;
      if ("cause" in due) {
        // The entry stays, and each run reports it until an operator repairs it.
        summary.failed += 1;
        deps.onFailure({ creationId: due.creationId, cause: due.cause });
        continue;
      }
      if (summary.oldestDueOn === undefined || due.dueOn < summary.oldestDueOn) summary.oldestDueOn = due.dueOn;
      if (!(await run.admit(due.dueOn))) {
        summary.left += 1;
        if (run.isOver()) break;
        continue;
      }
      if (batch && isFull(batch)) {
        close(batch);
        batch = undefined;
      }
      batch ??= { since: deps.now(), visits: [] };
      batch.visits.push(visit(tools, due, run));
    }
  } catch (cause) {
    summary.failed += 1;
    deps.onFailure({ shard, cause });
  }
  if (batch) close(batch);
  await Promise.all(closing);
  return summary;
}

/** Result of the visit of one entry. */
interface VisitResult extends Pick<PhaseState, "events" | "undelivered"> {
  due: ScheduleEntry;
  did: PhaseOutcome[];
  /** The next entry of the session; absent: none. */
  next?: ScheduleEntry;
  /** The entry is unchanged, because no time was left or after a failure that affects all sessions. */
  stays?: true;
  failure?: MaintenanceFailure;
}

/** Runs all phases of a session that are due, one after the other. Never rejects. */
async function visit(deps: MaintainDeps, due: ScheduleEntry, run: Run): Promise<VisitResult> {
  const session = due.phase === "collect" ? (deps.recorded?.get(due.creationId) ?? due.session) : due.session;
  const state: PhaseState = { entry: compact({ ...due, session }), events: [], undelivered: [] };
  const { events, undelivered } = state;
  const did: PhaseOutcome[] = [];
  let cause: unknown;
  try {
    return { due, did, events, undelivered, ...(await runPhases(deps, state, did)) };
  } catch (error) {
    if (error instanceof DeadlineReached) return { due, did: [], events, undelivered, stays: true };
    cause = error;
    return { due, did, events, undelivered, ...(await fail(deps, state.entry, error)) };
  } finally {
    run.leave(cause);
  }
}

async function runPhases(
  deps: MaintainDeps,
  state: PhaseState,
  did: PhaseOutcome[],
): Promise<Pick<VisitResult, "next">> {
  for (;;) {
    const step = await phases[state.entry.phase](deps, state);
    if (step.did !== undefined) did.push(step.did);
    if (step.next === undefined) return {};
    state.entry = step.next;
    if (Date.parse(step.next.dueOn) > deps.now()) break;
  }
  return { next: state.entry };
}

/**
 * Schedules a failed session again, after a delay that doubles with each failure, but not later than its uploaded image
 * is due for removal. The removal of a due image is tried after every failure. After a failure of the infrastructure the
 * entry is unchanged.
 */
async function fail(
  deps: MaintainDeps,
  entry: ScheduleEntry,
  cause: unknown,
): Promise<Pick<VisitResult, "next" | "stays" | "failure">> {
  const failure = { ...nameOf(entry), cause };
  const nowMs = deps.now();
  const pruneMs = Date.parse(pruneTime(deps, entry));
  // If the removal fails as well, the next try repeats it.
  if (pruneMs <= nowMs) await removeImage(deps, entry).catch(() => undefined);
  if (isInfrastructureFailure(cause)) return { stays: true, failure };
  const failures = (entry.failures ?? 0) + 1;
  const retryMs = nowMs + Math.min(firstDelayMs * 2 ** (failures - 1), longestDelayMs);
  const dueMs = pruneMs > nowMs ? Math.min(retryMs, pruneMs) : retryMs;
  return { next: follow(entry, entry.phase, iso(dueMs), failures), failure: { ...failure, failures } };
}

/**
 * Replaces the entries that were due by the next entries. An entry that is already gone was removed by another run, which
 * writes the same, or by an erasure, after which nothing may remain.
 */
async function commitBatch(deps: MaintainDeps, visits: VisitResult[]): Promise<VisitResult[]> {
  const moving = visits.filter(({ stays }) => !stays);
  try {
    const abandoned = moving.filter(({ did }) => did.includes("abandoned"));
    if (abandoned.length > 0) await deps.removals.dropPointers({ records: abandoned.map(({ due }) => due) });
    // A visit without a next entry has removed the session with its events.
    const kept = visits.filter(({ next, stays }) => next !== undefined || stays);
    await Promise.all([
      addToLists(
        deps,
        kept.flatMap(({ events }) => events),
      ),
      deps.deliverySchedule.put(kept.flatMap(({ undelivered }) => undelivered.map(firstDelivery))),
    ]);
    for (const { next, events, undelivered } of await deps.schedule.move(moving)) {
      if (next === undefined || (await find(deps, next)) !== undefined) continue;
      await deps.schedule.remove([next]);
      await deps.deliverySchedule.remove(undelivered.map(firstDelivery));
      await removeFromLists(deps, events);
    }
    return visits;
  } catch (cause) {
    return visits.map((ended) =>
      ended.stays || ended.failure ? ended : { ...ended, did: [], failure: { ...nameOf(ended.due), cause } },
    );
  }
}

function nameOf({ creationId, phase, session }: ScheduleEntry): Omit<MaintenanceFailure, "cause"> {
  return { creationId, phase, ...(session && { sessionId: session.sessionId }) };
}

function count(deps: MaintainDeps, summary: MaintenanceSummary, visits: readonly VisitResult[]): void {
  for (const { did, stays, failure } of visits) {
    for (const done of did) summary[done] += 1;
    if (failure === undefined) {
      if (stays) summary.left += 1;
      continue;
    }
    summary.failed += 1;
    deps.onFailure(failure);
  }
}

/** The sum of summaries; without any, an empty summary. */
export function addSummaries(...parts: readonly MaintenanceSummary[]): MaintenanceSummary {
  const total = { due: 0, collected: 0, pruned: 0, purged: 0, abandoned: 0, failed: 0, left: 0 };
  for (const name of Object.keys(total) as (keyof typeof total)[]) {
    for (const part of parts) total[name] += part[name];
  }
  const oldestDueOn = parts.flatMap((part) => part.oldestDueOn ?? []).sort()[0];
  return compact({ ...total, oldestDueOn });
}
