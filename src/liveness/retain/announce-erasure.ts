import { createHash } from "node:crypto";
import { eventId, undelivered } from "../model/events.ts";
import type { Ports } from "../model/ports.ts";

export type AnnounceErasureDeps = Pick<Ports, "outbox" | "publish" | "now" | "newId">;

const erasures = {
  device: { type: "liveness.device.erased", property: "deviceCorrelationIdSha256" },
  user: { type: "liveness.user.erased", property: "userCorrelationIdSha256" },
} as const;

/**
 * Announces a complete erasure, even if it found nothing: an earlier call may have been interrupted after it erased
 * everything. The event contains only a hash of the id. An app that knows the id can compare the hash.
 */
export async function announceErasure(
  { outbox, publish, now, newId }: AnnounceErasureDeps,
  subject: keyof typeof erasures,
  id: string,
  counts: object,
): Promise<void> {
  const { type, property } = erasures[subject];
  const nowMs = now();
  const data = { [property]: createHash("sha256").update(id).digest("hex"), ...counts };
  const event = { id: eventId(nowMs, newId()), occurredOn: new Date(nowMs).toISOString(), type, data };
  await publish([await outbox.put({ ...event, ...undelivered })]);
}
