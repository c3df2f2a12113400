import * as z from "zod";
import { ApiError } from "../errors.ts";
import { defineEndpoint, type Endpoint, noParams, noQuery } from "../http/endpoint.ts";

/** For probes: they say what is wrong by name, and never why in a way that helps strangers. */
export const healthEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "getHealth",
    summary: "Tell that the app is alive",
    methods: ["GET"],
    route: "api/health",
    access: "everyone",
    params: noParams,
    query: noQuery,
    unconfigured: { status: 200, json: { status: "alive" } },
    describe: () => ({
      answers: {
        200: {
          description: "The app runs, whatever its settings are.",
          json: z.object({ status: z.literal("alive") }),
        },
      },
    }),
    handle: async () => ({ status: 200, json: { status: "alive" } }),
  }),
  defineEndpoint({
    name: "getReadiness",
    summary: "Tell whether settings, tables, blobs and Face are in order",
    methods: ["GET"],
    route: "api/health/ready",
    access: "everyone",
    params: noParams,
    query: noQuery,
    describe: () => ({
      answers: { 200: { description: "Everything that the app needs is in reach.", json: readinessShape() } },
      errors: { 503: ["NotReady"] },
    }),
    async handle(app, { log }) {
      const { failures, overdueSince } = await app.readiness.look();
      if (failures.length === 0) {
        if (overdueSince === undefined) return { status: 200, json: { status: "ready" } };
        log.warn("MaintenanceOverdue", { overdueSince });
        return { status: 200, json: { status: "degraded", degraded: ["timer"], overdueSince } };
      }
      for (const { part, cause } of failures) log.warn("NotReady", { part, cause });
      throw new ApiError(503, "NotReady", `Out of reach or refused: ${failures.map(({ part }) => part).join(", ")}.`, {
        details: failures.map(({ part, code }) => ({ code, message: "Out of reach or refused.", target: part })),
        retryAfter: "30",
      });
    },
  }),
];

function readinessShape() {
  const degraded = z.array(z.literal("timer")).describe("What works, but not as it should.");
  return z.union([
    z.object({ status: z.literal("ready") }),
    z.object({ status: z.literal("degraded"), degraded, overdueSince: z.iso.datetime() }),
  ]);
}
