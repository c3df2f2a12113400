import { ApiError } from "../errors.ts";
import { defineEndpoint, type Endpoint } from "../http/endpoint.ts";
import type { NotReady } from "../liveness/readiness.ts";

const publicNames = { sessions: "tables", images: "blobs", face: "face" } as const satisfies Record<
  NotReady["part"],
  string
>;

/** Health endpoints for probes. Responses name the failed dependency; its error is in the log only. */
export const healthEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "getHealth",
    summary: "Check that the app is running",
    methods: ["GET"],
    route: "api/health",
    access: "everyone",
    unconfigured: { status: 200, json: { status: "alive" } },
    handle: async () => ({ status: 200, json: { status: "alive" } }),
  }),
  defineEndpoint({
    name: "getReadiness",
    summary: "Check settings, tables, blobs and the Face service",
    methods: ["GET"],
    route: "api/health/ready",
    access: "everyone",
    async handle(app, { log }) {
      const { failures, overdueSince } = await app.readiness.look();
      if (failures.length === 0) {
        if (overdueSince === undefined) return { status: 200, json: { status: "ready" } };
        log().warn("MaintenanceOverdue", { overdueSince });
        return { status: 200, json: { status: "degraded", degraded: ["timer"], overdueSince } };
      }
      for (const { part, cause } of failures) log().warn("NotReady", { part: publicNames[part], cause });
      throw new ApiError(503, "NotReady", `Unavailable: ${failures.map(({ part }) => publicNames[part]).join(", ")}.`, {
        details: failures.map(({ part, code }) => ({
          ...{ code, message: "Unreachable, or access denied." },
          target: publicNames[part],
        })),
        retryAfter: "30",
      });
    },
  }),
];
