import type { TimerHandler } from "@azure/functions";
import type { App, Composition } from "../app.ts";
import { createLog, describeError, type Log } from "../http/log.ts";
import { addSummaries, drain } from "../liveness/retain/maintain.ts";
import { createRateLimiter } from "../liveness/retain/rate-limiter.ts";
import { sweepImages } from "../liveness/retain/sweep-images.ts";
import { sweepRows } from "../liveness/retain/sweep-rows.ts";
import { measureMaintenance } from "../telemetry/observe.ts";

/** Every five minutes, as wide as the buckets of `expiry` are. */
export const maintenanceSchedule = "0 */5 * * * *";

/**
 * Collects results before the service forgets them, and removes what has been kept long enough.
 *
 * @throws Error where any session failed, so that the platform shows the run as failed; they are tried again next time.
 */
export function maintainSessions(composition: Composition): TimerHandler {
  if ("faults" in composition) {
    const names = composition.faults.map(({ setting }) => setting).join(", ");
    return async () => {
      throw new Error(`Not configured: ${names}`);
    };
  }
  const { app } = composition;
  const { faceCallsPerSecond } = app.config.maintenance;
  // Of all runs together: what the service said to one of them holds for the next.
  const rateLimiter = createRateLimiter({ callsPerSecond: faceCallsPerSecond, now: app.now });
  return async (_timer, context) => maintain({ ...app, ...app.config.maintenance, rateLimiter }, createLog(context));
}

type Tools = App & App["config"]["maintenance"] & { rateLimiter: ReturnType<typeof createRateLimiter> };

async function maintain(tools: Tools, log: Log): Promise<void> {
  const start = tools.now();
  const deadline = start + tools.budgetSeconds * 1000;
  let [imagesFailed, rowsFailed] = [0, 0];
  const drainDue = () =>
    drain(
      {
        ...tools,
        onFailure: ({ cause, ...which }) => log.error("MaintenanceFailed", { ...which, ...describeError(cause) }),
      },
      deadline,
    );
  const drained = [await drainDue()];
  const imagesSwept = await sweepImages(
    {
      ...tools,
      onFailure({ cause, ...which }) {
        imagesFailed += 1;
        log.error("MaintenanceFailed", { ...which, ...describeError(cause) });
      },
    },
    deadline,
  );
  // After the due sessions, so that late ones are not mistaken for lost ones.
  const { swept: rowsSwept, scheduled } = await sweepRows(
    {
      ...tools,
      onFailure({ cause, ...which }) {
        rowsFailed += 1;
        log.error("MaintenanceFailed", { ...which, ...describeError(cause) });
      },
    },
    deadline,
  );
  if (scheduled > 0) drained.push(await drainDue());
  const { oldestDueOn, ...summary } = addSummaries(...drained);
  const figures = {
    ...summary,
    imagesSwept,
    imagesFailed,
    rowsSwept,
    rowsFailed,
    oldestDueSeconds: oldestDueOn === undefined ? 0 : (start - Date.parse(oldestDueOn)) / 1000,
    seconds: (tools.now() - start) / 1000,
  };
  log.info("MaintenanceDone", figures);
  if (tools.telemetry) measureMaintenance(tools.telemetry, figures);
  if (summary.failed > 0) throw new Error(`${summary.failed} sessions could not be maintained; see MaintenanceFailed.`);
  if (imagesFailed > 0) throw new Error("Images could not be swept; see MaintenanceFailed.");
  if (rowsFailed > 0) throw new Error("Rows could not be swept; see MaintenanceFailed.");
}
