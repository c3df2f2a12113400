import { createHash } from "node:crypto";
import type { EventType } from "../liveness/model/events.ts";

/** Name of the Event Grid topic among the targets, which no endpoint may have. */
export const eventGridName = "event-grid";

/** A configured receiver of webhooks. */
export interface WebhookEndpoint {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`, unique. */
  name: string;
  /** May contain credentials. */
  url: string;
  /** One or two, for rotation: `whsec_` and 24 to 64 bytes in base64. Each event is signed with all of them. */
  secrets: string[];
  /** Types of the events to deliver. Undefined: all. */
  types?: EventType[];
}

/** Whether the endpoint receives events of the type. Test events are sent only on request, so every endpoint accepts them. */
export function accepts({ types }: WebhookEndpoint, type: EventType): boolean {
  return types === undefined || types.includes(type) || type === "liveness.webhook.test";
}

/** SHA-256 of all settings of the endpoint. The secrets are random, so it does not reveal them. */
export function fingerprint({ name, url, secrets, types }: WebhookEndpoint): string {
  return createHash("sha256")
    .update(JSON.stringify([name, url, secrets, types]))
    .digest("hex");
}
