import type { TimerHandler } from "@azure/functions";
import type { Composition } from "../app.ts";
import { createLog, describeError } from "../http/log.ts";
import { drain } from "../liveness/maintain.ts";

/** Every five minutes, as wide as the buckets of `expiry` are. */
export const maintenanceSchedule = "0 */5 * * * *";

/**
 * Collects results before the service forgets them, and removes what has been kept long enough.
 *
 * @throws Error where any session failed, so that the platform shows the run as failed; they are tried again next time.
 */
export function maintainSessions(composition: Composition): TimerHandler {
  return async (_timer, context) => {
    const log = createLog(context);
    if ("faults" in composition) {
      throw new Error(`Not configured: ${composition.faults.map(({ setting }) => setting).join(", ")}`);
    }
    const { app } = composition;
    const { concurrency, faceCallsPerSecond, budgetSeconds } = app.config.maintenance;
    const start = app.now();
    const summary = await drain(
      {
        ...app,
        retention: app.config.retention,
        concurrency,
        faceCallsPerSecond,
        onFailure: ({ cause, ...which }) => log.error("MaintenanceFailed", { ...which, ...describeError(cause) }),
      },
      start + budgetSeconds * 1000,
    );
    log.info("MaintenanceDone", { ...summary, seconds: (app.now() - start) / 1000 });
    if (summary.failed > 0)
      throw new Error(`${summary.failed} sessions could not be maintained; see MaintenanceFailed.`);
  };
}
