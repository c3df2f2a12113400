import * as z from "zod";
import type { App } from "../app.ts";
import { compact } from "../compact.ts";
import { defineEndpoint, type Endpoint, pageSize, resourceNotFound } from "../http/endpoint.ts";
import type { EventRef, StoredEvent } from "../liveness/model/events.ts";

export const receiverName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const eventParams = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    .describe("Id of the event."),
});
const webhookParams = z.object({ name: receiverName.describe("The name of the receiver.") });
const listQuery = z.object({
  after: z.string().max(4096).optional().describe("`after` of the page before. Default: from the oldest event."),
  top: pageSize(100, 50),
});

/** The outbox, and tests of its receivers. */
export const eventEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "listEvents",
    summary: "List events in the order of their times, also those that were delivered",
    methods: ["GET"],
    route: "api/events",
    access: "services",
    query: listQuery,
    async handle(app, { query, url }) {
      const { readEventPage } = await import("../events/event-pages.ts");
      const { events, after, isLast, asOf } = await readEventPage(app, query);
      const next = new URL(url);
      if (after !== undefined) next.searchParams.set("after", after);
      const nextLink = isLast ? undefined : next.href;
      return { status: 200, json: compact({ value: events.map(eventResource), after, nextLink, asOf }) };
    },
  }),
  defineEndpoint({
    name: "redeliverEvent",
    summary: "Deliver an event again to all receivers of its type",
    methods: ["POST"],
    route: "api/events/{id}/redeliver",
    access: "services",
    params: eventParams,
    async handle(app, { params }) {
      const event = await findEvent(app, params.id);
      if (event === undefined) throw resourceNotFound();
      const { redeliver } = await import("../events/redeliver.ts");
      return { status: 200, json: eventResource(await redeliver(app, event)) };
    },
  }),
  defineEndpoint({
    name: "testWebhook",
    summary: "Send an event of type `liveness.webhook.test` to one receiver",
    methods: ["POST"],
    route: "api/webhooks/{name}/test",
    access: "services",
    params: webhookParams,
    async handle(app, { params }) {
      const target = app.targets.find(({ name }) => name === params.name);
      if (target === undefined) throw resourceNotFound();
      const { sendTest } = await import("../events/redeliver.ts");
      return { status: 200, json: await sendTest(app, target) };
    },
  }),
];

async function findEvent({ eventIndex, deliverySchedule, outbox }: App, id: string): Promise<StoredEvent | undefined> {
  // An event that is not listed yet still has its first entry in the schedule.
  const ref: EventRef | undefined = (await eventIndex.find(id)) ?? (await deliverySchedule.first(id));
  return ref && outbox.get(ref);
}

function eventResource({ id, type, occurredOn: time, subject, data, deliveries }: StoredEvent) {
  const states = Object.entries(deliveries).map(([receiver, delivery]) => ({ receiver, ...delivery }));
  return compact({ id, type, time, subject, data, deliveries: states });
}
