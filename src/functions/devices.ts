import * as z from "zod";
import { defineEndpoint, type Endpoint, resourceNotFound } from "../http/endpoint.ts";
import { liftLockouts } from "../liveness/open/limits.ts";
import { listDeviceSessions } from "../liveness/result/visibility.ts";
import { eraseDevice } from "../liveness/retain/erase-device.ts";
import { checkDeviceId, correlationId, idOf } from "./correlation-id.ts";
import { pageOf, paging } from "./session-pages.ts";

const deviceParams = z.object({
  deviceCorrelationId: correlationId.describe("The device, or `-` if the query contains its id."),
});
const deviceQuery = z.object({
  deviceCorrelationId: correlationId.optional().describe("The device, if the path has `-`."),
});

const pageQuery = deviceQuery.extend(paging);

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
    async handle(app, { params, query, caller, url }) {
      const device = deviceOf(params, query);
      const page = await listDeviceSessions(app, caller, device, query);
      if (page === undefined) throw resourceNotFound();
      return { status: 200, json: pageOf(app, caller, url, page) };
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
    async handle(app, { params, query }) {
      return { status: 200, json: await eraseDevice(app, deviceOf(params, query)) };
    },
  }),
  defineEndpoint({
    name: "liftLockout",
    summary: "End the lockouts of a device, for services and for every user",
    methods: ["DELETE"],
    route: "api/devices/{deviceCorrelationId}/lockout",
    access: "services",
    params: deviceParams,
    query: deviceQuery,
    async handle(app, { params, query }) {
      await liftLockouts(app, deviceOf(params, query));
      return { status: 204 };
    },
  }),
];

function deviceOf(params: z.infer<typeof deviceParams>, query: z.infer<typeof deviceQuery>): string {
  return checkDeviceId(idOf(params.deviceCorrelationId, query.deviceCorrelationId));
}
