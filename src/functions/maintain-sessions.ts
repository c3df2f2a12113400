import type { TimerHandler } from "@azure/functions";
import type { App, Composition } from "../app.ts";
import { compact } from "../compact.ts";
import { givenUpFields } from "../events/attempt.ts";
import { keepIndex } from "../events/keep-index.ts";
import { listEvents } from "../events/list-events.ts";
import { retryDeliveries } from "../events/retry-deliveries.ts";
import { createLog, describeError, type Log, type LogFields } from "../http/log.ts";
import { addSummaries, drain, type MaintainDeps } from "../liveness/retain/maintain.ts";
import { createRateLimiter } from "../liveness/retain/rate-limiter.ts";
import { sweepImages } from "../liveness/retain/sweep-images.ts";
import { sweepItems } from "../liveness/retain/sweep-items.ts";
import { measureMaintenance } from "../telemetry/observe.ts";

/** Every five minutes, the width of the buckets in table `expiry`. */
export const maintenanceSchedule = "0 */5 * * * *";

/**
 * Fetches results before the service deletes them, and deletes data whose retention has ended.
 *
 * @throws Error if any session, image or row failed, so that the platform shows the run as failed. The next run retries.
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
  // Shared by all runs, since the service's throttling applies to all of them.
  const rateLimiter = createRateLimiter({ callsPerSecond: faceCallsPerSecond, now: app.now });
  return async (_timer, context) => maintain({ ...app, ...app.config.maintenance, rateLimiter }, createLog(context));
}

type Tools = App & App["config"]["maintenance"] & { rateLimiter: ReturnType<typeof createRateLimiter> };

async function maintain(tools: Tools, log: Log): Promise<void> {
  const start = tools.now();
  const deadline = start + tools.budgetSeconds * 1000;
  const startedOn = new Date(start).toISOString();
  let [imagesFailed, rowsFailed, eventsFailed] = [0, 0, 0];
  const logFailure = (ids: LogFields, cause: unknown) =>
    log.error("MaintenanceFailed", { ...ids, ...describeError(cause) });
  const onFailure: MaintainDeps["onFailure"] = ({ cause, ...ids }) => logFailure(ids, cause);
  const drainDue = () => drain({ ...tools, recorded: listed.recorded, onFailure }, deadline);
  const events = {
    ...tools,
    onFailure({ cause, ...ids }: { cause: unknown } & LogFields) {
      eventsFailed += 1;
      logFailure(ids, cause);
    },
    onGivenUp: (...givenUp: Parameters<typeof givenUpFields>) => log.error("EventGivenUp", givenUpFields(...givenUp)),
  };
  // Events come first, so that the lists across devices are up to date even if the run ends for lack of time. The sessions
  // have at least half of the time.
  const listed = await listEvents(events, startedOn, (start + deadline) / 2);
  const [due, retried] = await Promise.all([drainDue(), retryDeliveries(events, listed.deliverable, deadline)]);
  const drained = [due];
  const onImageFailure: Parameters<typeof sweepImages>[0]["onFailure"] = ({ cause, ...ids }) => {
    imagesFailed += 1;
    logFailure(ids, cause);
  };
  const imagesSwept = await sweepImages({ ...tools, onFailure: onImageFailure }, deadline);
  const onRowFailure: Parameters<typeof sweepItems>[0]["onFailure"] = ({ cause, collection: table, key: row }) => {
    rowsFailed += 1;
    logFailure(compact({ table, row }), cause);
  };
  // After the due sessions, so that a late session is not treated as lost.
  const { swept: rowsSwept, scheduled } = await sweepItems({ ...tools, onFailure: onRowFailure }, deadline);
  if (scheduled > 0) drained.push(await drainDue());
  await keepIndex(events, startedOn, deadline, listed.deliverable);
  const { oldestDueOn, ...summary } = addSummaries(...drained);
  const figures = {
    ...summary,
    imagesSwept,
    imagesFailed,
    rowsSwept,
    rowsFailed,
    eventsListed: listed.listed,
    eventsDelivered: retried.delivered,
    eventsRetried: retried.retried,
    eventsGivenUp: retried.givenUp,
    eventsFailed,
    oldestDueSeconds: oldestDueOn === undefined ? 0 : (start - Date.parse(oldestDueOn)) / 1000,
    seconds: (tools.now() - start) / 1000,
  };
  log.info("MaintenanceDone", figures);
  if (tools.telemetry) measureMaintenance(tools.telemetry, figures);
  if (summary.failed > 0) throw new Error(`Maintenance of ${summary.failed} sessions failed; see MaintenanceFailed.`);
  if (imagesFailed > 0) throw new Error("Sweeping images failed; see MaintenanceFailed.");
  if (eventsFailed > 0) throw new Error("Listing or delivering events failed; see MaintenanceFailed.");
  if (rowsFailed > 0) throw new Error("Sweeping rows failed; see MaintenanceFailed.");
}
