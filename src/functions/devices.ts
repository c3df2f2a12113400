import * as z from "zod";
import { invalidDeviceCorrelationId } from "../face/errors.ts";
import { defineEndpoint, type Endpoint, resourceNotFound } from "../http/endpoint.ts";
import { eraseDevice } from "../liveness/erase-device.ts";
import { sessionResource } from "./session-resource.ts";

const deviceParams = z.object({ deviceCorrelationId: z.string() });
const deviceQuery = z.object({ deviceCorrelationId: z.string().optional() });

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
    async handle(app, { params, query, caller, url }) {
      const device = deviceOf(params, query);
      const owner = caller.trusted ? undefined : (caller.owner ?? "");
      const page = await app.sessions.sessionsOfDevice(device, query.top, query.continuationToken, owner);
      // To a principal, a device of others is as good as none.
      if (owner !== undefined && page.items.length === 0 && query.continuationToken === undefined) {
        throw resourceNotFound();
      }
      const nextLink = page.continuationToken && linkTo(url, page.continuationToken);
      return { status: 200, json: { value: page.items.map(sessionResource), ...(nextLink && { nextLink }) } };
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
    async handle(app, { params, query }) {
      return { status: 200, json: await eraseDevice(app, deviceOf(params, query)) };
    },
  }),
  defineEndpoint({
    name: "liftLockout",
    summary: "Let a device in again that too many rejections have locked out",
    methods: ["DELETE"],
    route: "api/devices/{deviceCorrelationId}/lockout",
    access: "services",
    params: deviceParams,
    query: deviceQuery,
    async handle(app, { params, query }) {
      await app.devices.clearLockout(deviceOf(params, query));
      return { status: 204 };
    },
  }),
];

/** `-` in the path stands for an id that cannot travel there, and then comes in the query. */
function deviceOf(params: z.infer<typeof deviceParams>, query: z.infer<typeof deviceQuery>): string {
  const inPath = params.deviceCorrelationId;
  const device = inPath === "-" ? (query.deviceCorrelationId ?? inPath) : inPath;
  if (device.length < 1 || device.length > 64 || !device.isWellFormed()) throw invalidDeviceCorrelationId();
  return device;
}

function linkTo(url: URL, continuationToken: string): string {
  const next = new URL(url);
  next.searchParams.set("continuationToken", continuationToken);
  return next.href;
}
