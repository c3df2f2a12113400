import * as z from "zod";
import { receiverName } from "../../../src/functions/events.ts";
import { eventTypes } from "../../../src/liveness/model/events.ts";
import type { Operations } from "../operation.ts";

/** The outbox, and tests of its receivers. */
export const eventOperations: Operations = {
  listEvents: () => ({
    answers: {
      200: {
        description: "A page of events. A later request with its `after` returns the events that follow.",
        json: z
          .object({
            value: z.array(eventShape()),
            after: z.string().optional().describe("Absent if the list is empty."),
            nextLink: z.url().optional().describe("Absent if no event follows yet."),
            asOf: z.iso.datetime().optional().describe("The list is complete up to this time."),
          })
          .meta({ id: "EventPage" }),
      },
    },
    errors: { 400: ["BadArgument"] },
  }),
  redeliverEvent: () => ({
    answers: { 200: { description: "The event with the results.", json: eventShape() } },
    errors: { 404: ["ResourceNotFound"] },
  }),
  testWebhook: () => ({
    answers: {
      200: {
        description: "The result. The event is not stored, and a failed delivery is not retried.",
        json: z
          .object({
            id: z.string(),
            delivered: z.boolean(),
            cause: z.string().optional().describe("Code of the failure."),
          })
          .meta({ id: "WebhookTest" }),
      },
    },
    errors: { 404: ["ResourceNotFound"] },
  }),
};

const deliveryShape = z
  .object({
    receiver: receiverName,
    state: z
      .enum(["delivered", "pending", "failed"])
      .describe("`failed`: given up after the last retry, or because the receiver answered 410."),
    triedOn: z.iso.datetime().describe("Time of the latest attempt."),
    cause: z.string().optional().describe("Code of the latest failure."),
    notBefore: z.iso.datetime().optional().describe("The receiver asked for no delivery before this time."),
  })
  .meta({ id: "EventDelivery" });

function eventShape() {
  return z
    .object({
      id: z.string().describe("The same in each delivery of the event, as `webhook-id`."),
      type: z.enum(eventTypes),
      time: z.iso.datetime().describe("When the event occurred."),
      subject: z.string().optional().describe("`sessions/{sessionId}`, if the event is about a session."),
      data: z.record(z.string(), z.unknown()).describe("The `data` of the CloudEvent; it depends on the type."),
      deliveries: z.array(deliveryShape).describe("One entry for each receiver to which a delivery was tried."),
    })
    .meta({ id: "Event" });
}
