import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { TestContext } from "node:test";
import type { DeliveryResult, DeliveryTarget } from "../../../src/events/delivery-target.ts";
import type { LivenessEvent } from "../../../src/liveness/model/events.ts";
import { isEventRow } from "../../../src/storage/rows/event-keys.ts";
import { listen } from "../../local/ports.ts";
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

/** An event of a decision. */
export const decided: LivenessEvent = {
  id: "019ca945-0a00-7000-8000-000000000001",
  type: "liveness.session.decided",
  occurredOn: "2026-03-01T11:59:59.123Z",
  subject: "sessions/one",
  data: { sessionId: "one", decision: "accepted", reasons: ["RealFace"], final: true, revision: 1 },
};

interface ReceivedRequest {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage["headers"];
  body: string;
}

/** Starts an HTTP server for one test. It reads each request before it answers. */
export async function startServer(t: TestContext, answer: RequestListener) {
  const requests: ReceivedRequest[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    requests.push({ method, url, headers, body: (await request.toArray()).join("") });
    answer(request, response);
  });
  const port = await listen(server);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { requests, origin: `http://127.0.0.1:${port}` };
}

/** Answers that refuse an event which is sent at noon of 2026-03-01, and the wait in ms that they request. */
export const refusals: [status: number, headers: Record<string, string>, retryAfterMs?: number][] = [
  [400, {}],
  [401, {}],
  [403, { "retry-after": "5" }],
  [404, {}],
  [413, {}],
  [429, { "retry-after": "120" }, 120_000],
  [429, { "retry-after": "soon" }],
  [429, {}],
  [500, { "retry-after": "120" }],
  [500, {}],
  [503, { "retry-after": "Sun, 01 Mar 2026 12:01:00 GMT" }, 60_000],
  [503, { "retry-after": "999999999" }, 86_400_000],
  [301, { location: "http://127.0.0.1:9/" }],
  [307, { location: "/elsewhere" }],
];
