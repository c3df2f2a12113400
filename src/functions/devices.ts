import * as z from "zod";
import { defineEndpoint, type Endpoint, resourceNotFound } from "../http/endpoint.ts";
import { endLockout } from "../liveness/open/limits.ts";
import { type Erased, eraseDevice } from "../liveness/retain/erase-device.ts";
import { checkDeviceId, deviceId } from "./device-id.ts";
import { sessionResource, sessionResourceShape } from "./session-resource.ts";

const deviceParams = z.object({
  deviceCorrelationId: deviceId.describe("The device; `-` where its id stands in the query."),
});
const deviceQuery = z.object({
  deviceCorrelationId: deviceId.optional().describe("The device, where the path has `-`."),
});

const pageQuery = deviceQuery.extend({
  top: z
    .string()
    .regex(/^\d{1,3}$/, "must be a whole number from 1 to 100")
    .transform(Number)
    .pipe(z.int().min(1, "must be at least 1").max(100, "must be at most 100"))
    .default(50),
  continuationToken: z.string().max(4096).optional(),
});

/** What is known of a device, whatever the sessions were. */
export const deviceEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "listDeviceOutcomes",
    summary: "List a device's sessions with their outcomes, newest first",
    methods: ["GET"],
    route: "api/devices/{deviceCorrelationId}/outcomes",
    access: "callers",
    params: deviceParams,
    query: pageQuery,
    describe: () => ({
      answers: {
        200: {
          description: "A page of sessions. Without `nextLink` it is the last one.",
          json: z
            .object({ value: z.array(sessionResourceShape), nextLink: z.url().optional() })
            .meta({ id: "SessionPage" }),
        },
      },
      errors: { 400: ["InvalidDeviceCorrelationId", "BadArgument"], 404: ["ResourceNotFound"] },
    }),
    async handle(app, { params, query, caller, url }) {
      const device = deviceOf(params, query);
      const owner = caller.trusted ? undefined : (caller.owner ?? "");
      const page = await app.sessions.ofDevice(device, query.top, query.continuationToken, owner);
      // To a principal, a device of others is as good as none.
      if (owner !== undefined && page.items.length === 0 && query.continuationToken === undefined) {
        throw resourceNotFound();
      }
      const nextLink = page.continuationToken && linkTo(url, page.continuationToken);
      return {
        status: 200,
        json: { value: page.items.map((record) => sessionResource(record, caller)), ...(nextLink && { nextLink }) },
      };
    },
  }),
  defineEndpoint({
    name: "eraseDevice",
    summary: "Erase everything about a device here, and its live sessions at the service",
    methods: ["DELETE"],
    route: "api/devices/{deviceCorrelationId}",
    access: "services",
    params: deviceParams,
    query: deviceQuery,
    describe: () => ({
      answers: { 200: { description: "How much was erased.", json: erasedShape() } },
      errors: { 400: ["InvalidDeviceCorrelationId"], 503: ["ServerBusy"] },
      asksFace: true,
    }),
    async handle(app, { params, query }) {
      return { status: 200, json: await eraseDevice(app, deviceOf(params, query)) };
    },
  }),
  defineEndpoint({
    name: "liftLockout",
    summary: "End the lock-outs of a device, for services and for every user",
    methods: ["DELETE"],
    route: "api/devices/{deviceCorrelationId}/lockout",
    access: "services",
    params: deviceParams,
    query: deviceQuery,
    describe: () => ({
      answers: { 204: { description: "The device is not locked out (any more)." } },
      errors: { 400: ["InvalidDeviceCorrelationId"] },
    }),
    async handle(app, { params, query }) {
      await app.devices.editGuards(deviceOf(params, query), (guard) => endLockout(guard, app.now()));
      return { status: 204 };
    },
  }),
];

function erasedShape(): z.ZodType<Erased> {
  return z.object({ sessions: z.int().min(0), referenceImages: z.int().min(0) }).meta({ id: "Erased" });
}

/** `-` in the path stands for an id that cannot travel there, and then comes in the query. */
function deviceOf(params: z.infer<typeof deviceParams>, query: z.infer<typeof deviceQuery>): string {
  const inPath = params.deviceCorrelationId;
  return checkDeviceId(inPath === "-" ? (query.deviceCorrelationId ?? inPath) : inPath);
}

function linkTo(url: URL, continuationToken: string): string {
  const next = new URL(url);
  next.searchParams.set("continuationToken", continuationToken);
  return next.href;
}
