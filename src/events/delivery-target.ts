import type { EventType, LivenessEvent } from "../liveness/model/events.ts";

/** Result of one delivery. */
export type DeliveryResult =
  | { outcome: "delivered" }
  /** To be retried, after `retryAfterMs` or later if the receiver requests a time. `cause` is a short code for the log. */
  | { outcome: "retry"; cause: string; retryAfterMs?: number }
  /** The receiver wants no more events (410), or is disabled for that reason. */
  | { outcome: "gone" };

/** A receiver of events: a webhook endpoint or an Event Grid topic. */
export interface DeliveryTarget {
  /** Unique; stored with the state of each delivery. */
  name: string;
  accepts(type: EventType): boolean;
  /** Sends the event once. Never rejects. @param signal aborts the delivery, which then is to be retried. */
  deliver(event: LivenessEvent, signal?: AbortSignal): Promise<DeliveryResult>;
}
