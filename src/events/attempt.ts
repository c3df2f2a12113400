import { compact } from "../compact.ts";
import type { Delivery, DeliveryState, StoredEvent } from "../liveness/model/events.ts";
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
  const triedOn = new Date(nowMs).toISOString();
  const added = [...results].map(([name, result]): [string, Delivery] => {
    if (result.outcome === "delivered") return [name, { state: "delivered", triedOn }];
    if (result.outcome === "gone") return [name, { state: "failed", triedOn, cause: "Gone" }];
    // An event that was delivered stays so, even if a repeated delivery fails.
    return [name, { state: deliveries[name]?.state ?? "pending", triedOn, cause: result.cause }];
  });
  return { ...deliveries, ...Object.fromEntries(added) };
}

/** The longest wait in ms that a receiver requests; 0 if none does. */
export function longestWaitMs(results: Results): number {
  return Math.max(
    0,
    ...results.values().map((result) => (result.outcome === "retry" ? (result.retryAfterMs ?? 0) : 0)),
  );
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
