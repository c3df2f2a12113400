import {
  type DeliveryEntry,
  type DeliveryMove,
  type DeliveryState,
  retryOn,
  type StoredEvent,
} from "../liveness/model/events.ts";
import { createSemaphore } from "../semaphore.ts";
import { iso } from "../time.ts";
import { attempt, awaitedMs, giveUp, pendingTargets, type Results, withResults } from "./attempt.ts";
import type { DeliveryTarget } from "./delivery-target.ts";
import type { EventDeps } from "./list-events.ts";

export interface RetryDeps extends EventDeps {
  /** Called when an event is kept as failed for some receivers. */
  onGivenUp(event: StoredEvent, receivers: readonly string[]): void;
}

export interface RetrySummary {
  /** Events that every receiver has accepted, some of them in this run. */
  delivered: number;
  retried: number;
  givenUp: number;
  failed: number;
}

/** Concurrent deliveries. */
const maxDeliveries = 16;
/** Successive failures of a receiver after which it gets no more events in this run. */
const maxFailures = 10;
/** Entries that are moved with one request. */
const maxBatch = 50;

/**
 * Delivers due events again, the oldest first, until the deadline (milliseconds since the epoch). The remaining events stay
 * due.
 */
export async function retryDeliveries(
  deps: RetryDeps,
  entries: readonly DeliveryEntry[],
  deadline: number,
): Promise<RetrySummary> {
  const summary: RetrySummary = { delivered: 0, retried: 0, givenUp: 0, failed: 0 };
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), Math.max(0, deadline - deps.now()));
  timer.unref();
  const semaphore = createSemaphore(maxDeliveries);
  const run = { ...deps, targets: deps.targets.map(withBreaker), signal: abort.signal, summary };
  try {
    // Entries come shard by shard: without the order, the last shards would get no turn while there is too little time.
    const sorted = entries.toSorted((one, other) => (one.dueOn < other.dueOn ? -1 : 1));
    for (let from = 0; from < sorted.length && !abort.signal.aborted; from += maxBatch) {
      const batch = sorted.slice(from, from + maxBatch);
      const moves = await Promise.all(batch.map((due) => semaphore.run(() => retryOne(run, due))));
      for (const { due, next } of await deps.deliverySchedule.move(moves.flatMap((move) => move ?? []))) {
        // The due entry may have been removed by an erasure, after which nothing may remain.
        if (next && (await deps.outbox.get(due)) === undefined) await deps.deliverySchedule.remove([next]);
      }
    }
  } catch (cause) {
    summary.failed += 1;
    deps.onFailure({ cause });
  } finally {
    clearTimeout(timer);
  }
  return summary;
}

type RetryRun = RetryDeps & { signal: AbortSignal; summary: RetrySummary };

/** Undefined: the entry stays as it is. Never rejects. */
async function retryOne(run: RetryRun, due: DeliveryEntry): Promise<DeliveryMove | undefined> {
  try {
    const event = await run.outbox.get(due);
    if (event === undefined) return { due };
    const pending = pendingTargets(event, run.targets);
    if (pending.length === 0) return { due };
    // Another run has delivered the event, or stopped before it moved the entry: one series of retries is enough.
    if (event.dueOn !== undefined && event.dueOn !== due.dueOn) return { due, next: { ...due, dueOn: event.dueOn } };
    const wanting = pending.filter((target) => awaitedMs(event, target) <= run.now());
    const results = await attempt(event, wanting, run.signal);
    if (run.signal.aborted) return undefined;
    return await commitAttempt(run, due, event, results);
  } catch (cause) {
    run.summary.failed += 1;
    run.onFailure({ event: due.id, cause });
    return undefined;
  }
}

async function commitAttempt(
  run: RetryRun,
  due: DeliveryEntry,
  event: StoredEvent,
  results: Results,
): Promise<DeliveryMove> {
  const { summary, now } = run;
  const attempts = event.attempts + Math.min(results.size, 1);
  const deliveries = withResults(event, results, now());
  const left = pendingTargets({ ...event, deliveries }, run.targets);
  const retry = left.length === 0 ? undefined : retryOn(event, attempts, now());
  // A receiver may request a longer wait than that of the schedule, for which the others do not wait.
  const awaited = Math.min(...left.map((target) => awaitedMs({ deliveries }, target)));
  const dueOn = retry && iso(Math.max(Date.parse(retry), awaited));
  const state: DeliveryState =
    dueOn === undefined
      ? { deliveries: giveUp(deliveries), attempts }
      : { deliveries, attempts, dueOn, previousDueOn: due.dueOn };
  const isKept = await run.outbox.mark(event, state);
  const failed = pendingTargets(event, run.targets).flatMap(({ name }) =>
    state.deliveries[name]?.state === "failed" ? name : [],
  );
  if (failed.length > 0) {
    summary.givenUp += 1;
    run.onGivenUp(event, failed);
  } else {
    summary[dueOn === undefined ? "delivered" : "retried"] += 1;
  }
  return isKept && dueOn !== undefined ? { due, next: { ...due, dueOn } } : { due };
}

/** A receiver that fails again and again gets no more events in this run; each of them counts as tried. */
function withBreaker(target: DeliveryTarget): DeliveryTarget {
  let failures = 0;
  return {
    ...target,
    async deliver(event, signal) {
      if (failures >= maxFailures) return { outcome: "retry", cause: "ReceiverUnavailable" };
      const result = await target.deliver(event, signal);
      failures = result.outcome === "delivered" ? 0 : failures + 1;
      return result;
    },
  };
}
