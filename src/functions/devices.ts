import * as z from "zod";
import { compact } from "../compact.ts";
import { defineEndpoint, type Endpoint, pageSize, resourceNotFound } from "../http/endpoint.ts";
import { endLockout } from "../liveness/open/limits.ts";
import { listDeviceSessions } from "../liveness/result/visibility.ts";
import { type Erased, eraseDevice } from "../liveness/retain/erase-device.ts";
import { checkDeviceId, deviceId } from "./device-id.ts";
import { sessionResource, sessionResourceShape } from "./session-resource.ts";

const deviceParams = z.object({
  deviceCorrelationId: deviceId.describe("The device, or `-` if the query contains its id."),
});
const deviceQuery = z.object({
  deviceCorrelationId: deviceId.optional().describe("The device, if the path has `-`."),
});

const pageQuery = deviceQuery.extend({
  top: pageSize(100, 50),
  continuationToken: z.string().max(4096).optional(),
});

/** Operations on all data of a device. */
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
          description: "A page of sessions. The last page has no `nextLink`.",
          json: z
            .object({ value: z.array(sessionResourceShape), nextLink: z.url().optional() })
            .meta({ id: "SessionPage" }),
        },
      },
      errors: { 400: ["InvalidDeviceCorrelationId", "BadArgument"], 404: ["ResourceNotFound"] },
    }),
    async handle(app, { params, query, caller, url }) {
      const device = deviceOf(params, query);
      const page = await listDeviceSessions(app, caller, device, query);
      if (page === undefined) throw resourceNotFound();
      const nextLink = page.continuationToken && linkTo(url, page.continuationToken);
      const value = page.items.map((record) => sessionResource(record, caller, app.now()));
      return { status: 200, json: compact({ value, nextLink }) };
    },
  }),
  defineEndpoint({
    name: "eraseDevice",
    summary: "Erase all data of a device, and its live sessions at the Face service",
    methods: ["DELETE"],
    route: "api/devices/{deviceCorrelationId}",
    access: "services",
    params: deviceParams,
    query: deviceQuery,
    describe: () => ({
      answers: { 200: { description: "Numbers of erased sessions and images.", json: erasedShape() } },
      errors: { 400: ["InvalidDeviceCorrelationId"], 503: ["ServerBusy"] },
      callsFace: true,
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
      answers: { 204: { description: "The device is not locked out." } },
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

/** The device id of the query if the path has `-`, for ids that a path cannot contain; else that of the path. */
function deviceOf(params: z.infer<typeof deviceParams>, query: z.infer<typeof deviceQuery>): string {
  const inPath = params.deviceCorrelationId;
  return checkDeviceId(inPath === "-" ? (query.deviceCorrelationId ?? inPath) : inPath);
}

function linkTo(url: URL, continuationToken: string): string {
  const next = new URL(url);
  next.searchParams.set("continuationToken", continuationToken);
  return next.href;
}
