import { compact } from "../compact.ts";
import { eventId, type StoredEvent } from "../liveness/model/events.ts";
import type { Ports } from "../liveness/model/ports.ts";
import { attempt, withResults } from "./attempt.ts";
import type { DeliveryTarget } from "./delivery-target.ts";

/** Delivers an event again, also to receivers that have accepted it. Returns the event with the results. */
export async function redeliver(
  { targets, outbox, now }: Pick<Ports, "outbox" | "now"> & { targets: readonly DeliveryTarget[] },
  event: StoredEvent,
): Promise<StoredEvent> {
  const results = await attempt(
    event,
    targets.filter(({ accepts }) => accepts(event.type)),
  );
  const deliveries = withResults(event, results, now());
  await outbox.mark(event, { deliveries });
  return { ...event, deliveries };
}

/** Sends a test event to a receiver, whatever types it accepts. */
export async function sendTest(
  { now, newId }: Pick<Ports, "now" | "newId">,
  target: DeliveryTarget,
): Promise<{ id: string; delivered: boolean; cause?: string }> {
  const nowMs = now();
  const id = eventId(nowMs, newId());
  const occurredOn = new Date(nowMs).toISOString();
  const result = await target.deliver({
    id,
    type: "liveness.webhook.test",
    occurredOn,
    data: { receiver: target.name },
  });
  const cause = result.outcome === "retry" ? result.cause : result.outcome === "gone" ? "Gone" : undefined;
  return compact({ id, delivered: result.outcome === "delivered", cause });
}
