import { compact } from "../compact.ts";
import type { Delivery, DeliveryState, StoredEvent } from "../liveness/model/events.ts";
import { iso } from "../time.ts";
import type { DeliveryResult, DeliveryTarget } from "./delivery-target.ts";

/** The receivers to which the event is still to be delivered. */
export function pendingTargets(event: StoredEvent, targets: readonly DeliveryTarget[]): DeliveryTarget[] {
  return targets.filter(
    ({ name, accepts }) => accepts(event.type) && (event.deliveries[name]?.state ?? "pending") === "pending",
  );
}

/** Results of one attempt, by the receiver's name. */
export type Results = ReadonlyMap<string, DeliveryResult>;

/** Delivers the event to these receivers concurrently. Never rejects. */
export async function attempt(
  event: StoredEvent,
  targets: readonly DeliveryTarget[],
  signal?: AbortSignal,
): Promise<Results> {
  const { id, type, occurredOn, subject, data } = event;
  const sent = compact({ id, type, occurredOn, subject, data });
  const results = targets.map(async (target) => [target.name, await target.deliver(sent, signal)] as const);
  return new Map(await Promise.all(results));
}

/** The deliveries with these results added. */
export function withResults({ deliveries }: DeliveryState, results: Results, nowMs: number): Record<string, Delivery> {
  const triedOn = iso(nowMs);
  const added = [...results].map(([name, result]): [string, Delivery] => {
    if (result.outcome === "delivered") return [name, { state: "delivered", triedOn }];
    // An event that was delivered stays so, even if a repeated delivery fails.
    const state = deliveries[name]?.state ?? "pending";
    if (result.outcome === "gone") {
      return [name, { state: state === "delivered" ? state : "failed", triedOn, cause: "Gone" }];
    }
    const waitMs = result.retryAfterMs;
    const notBefore = waitMs === undefined ? undefined : iso(nowMs + waitMs);
    return [name, compact({ state, triedOn, cause: result.cause, notBefore })];
  });
  return { ...deliveries, ...Object.fromEntries(added) };
}

/** The time, in milliseconds since the epoch, before which the receiver requests no delivery. 0: it has no such request. */
export function awaitedMs({ deliveries }: Pick<DeliveryState, "deliveries">, { name }: DeliveryTarget): number {
  return Date.parse(deliveries[name]?.notBefore ?? iso(0));
}

/** The state after the last retry: deliveries that are still pending have failed. */
export function giveUp(deliveries: Record<string, Delivery>): Record<string, Delivery> {
  return Object.fromEntries(
    Object.entries(deliveries).map(([name, delivery]) => [
      name,
      delivery.state === "pending" ? { ...delivery, state: "failed" as const } : delivery,
    ]),
  );
}

/** The log line of an event that is kept as failed for some receivers. An alert counts these lines. */
export function givenUpFields({ id, type }: StoredEvent, receivers: readonly string[]) {
  return { id, type, receivers: receivers.join() };
}
