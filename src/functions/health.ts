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
    async handle(app, { log }) {
      const failures = await app.readiness.failures();
      if (failures.length === 0) return { status: 200, json: { status: "ready" } };
      for (const { part, cause } of failures) log.warn("NotReady", { part, cause });
      throw new ApiError(503, "NotReady", `Out of reach or refused: ${failures.map(({ part }) => part).join(", ")}.`, {
        details: failures.map(({ part, code }) => ({ code, message: "Out of reach or refused.", target: part })),
        retryAfter: "30",
      });
    },
  }),
];
