import type { Clock } from "../liveness/model/clock.ts";
import type { Outbox, Publish, StoredEvent } from "../liveness/model/events.ts";
import { attempt, pendingTargets, withResults } from "./attempt.ts";
import type { DeliveryTarget } from "./delivery-target.ts";

export interface PublisherDeps {
  targets: readonly DeliveryTarget[];
  outbox: Pick<Outbox, "mark">;
  now: Clock;
  /** Called when an event is kept as failed for receivers that answered 410. */
  onGivenUp(event: StoredEvent, receivers: readonly string[]): void;
  /** Longest wait for the deliveries in ms. Default 1000. Deliveries continue afterwards. */
  waitMs?: number;
}

/** Most deliveries to one receiver in progress. Further events for it, as for one that hangs, are left to the timer. */
const maxInFlight = 64;

/** Delivers new events at once. Failed and slow deliveries are left to the timer's schedule. */
export function createPublisher({ targets, outbox, now, onGivenUp, waitMs = 1000 }: PublisherDeps): Publish {
  const limited = targets.map(withLimit);

  async function deliver(event: StoredEvent): Promise<boolean> {
    try {
      const results = await attempt(event, pendingTargets(event, limited));
      const deliveries = withResults(event, results, now());
      const isChanged = results.values().some((one) => one.outcome !== "retry" || one.retryAfterMs !== undefined);
      if (isChanged) await outbox.mark(event, { deliveries });
      const gone = [...results].flatMap(([name, { outcome }]) => (outcome === "gone" ? name : []));
      if (gone.length > 0) onGivenUp(event, gone);
      return pendingTargets({ ...event, deliveries }, targets).length === 0;
    } catch {
      // Without the mark, the timer delivers the event again.
      return false;
    }
  }

  return async (events) => {
    const wanted = events.filter((event) => pendingTargets(event, targets).length > 0);
    const ended = new Set<StoredEvent>();
    const deliveries = wanted.map(async (event) => (await deliver(event)) && ended.add(event));
    if (deliveries.length > 0) await withinTime(Promise.all(deliveries), waitMs);
    return wanted.filter((event) => !ended.has(event));
  };
}

async function withinTime(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, over]);
  clearTimeout(timer);
}

function withLimit(target: DeliveryTarget): DeliveryTarget {
  let inFlight = 0;
  return {
    ...target,
    async deliver(event, signal) {
      if (inFlight >= maxInFlight) return { outcome: "retry", cause: "ReceiverUnavailable" };
      inFlight += 1;
      try {
        return await target.deliver(event, signal);
      } finally {
        inFlight -= 1;
      }
    },
  };
}
