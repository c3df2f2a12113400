import type { DeliveryResult, DeliveryTarget } from "../../../src/events/delivery-target.ts";
import type { LivenessEvent } from "../../../src/liveness/model/events.ts";
import { isEventRow } from "../../../src/storage/rows/event-keys.ts";
import type { World } from "./world.ts";

/** A receiver of events. */
export interface Receiver extends DeliveryTarget {
  /** Events that it has accepted, repetitions included. */
  received: LivenessEvent[];
  /** Attempts, also failed ones. */
  tries(): number;
}

export const failing: DeliveryResult = { outcome: "retry", cause: "Status500" };

/** @param answer the result of each try, from 1. Default: all are delivered. */
export function createReceiver(
  answer: (nth: number, event: LivenessEvent) => DeliveryResult | Promise<DeliveryResult> = () => ({
    outcome: "delivered",
  }),
  name = "receiver",
): Receiver {
  const received: LivenessEvent[] = [];
  let tries = 0;
  return {
    name,
    received,
    tries: () => tries,
    accepts: () => true,
    async deliver(event) {
      tries += 1;
      const result = await answer(tries, event);
      if (result.outcome === "delivered") received.push(event);
      return result;
    },
  };
}

/** The stored events. */
export function eventRowsOf({ storage }: World) {
  return storage.sessions.all().filter(({ rowKey }) => isEventRow(rowKey));
}

/** Ids of the events in the list of all events. */
export function listedEvents({ storage }: World): string[] {
  const rows = storage.outcomes.all().filter(({ partitionKey }) => partitionKey.startsWith("events_"));
  return rows.map(({ rowKey }) => rowKey.slice(14)).sort();
}

/** Entries of the schedule of deliveries. */
export function deliveryRowsOf({ storage }: World) {
  return storage.expiry.all().filter(({ phase }) => phase === "deliver");
}
