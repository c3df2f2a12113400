import { listEvents } from "../../../src/events/list-events.ts";
import { drain, type MaintainDeps } from "../../../src/liveness/retain/maintain.ts";
import type { Hook } from "./calls.ts";
import type { Process, World } from "./world.ts";

/** One run of the timer in the process, whose deadline is a minute ahead: events and due sessions. */
export async function drainOnce(process: Process, world: World, options?: Partial<MaintainDeps>) {
  return (await run(process, world, options)).counts;
}

async function run(process: Process, world: World, options: Partial<MaintainDeps> = {}) {
  const maintenance = process.maintenance(options);
  const listing = { ...maintenance, targets: process.deps.targets };
  const { recorded } = await listEvents(listing, new Date(world.now()).toISOString());
  const counts = await drain({ ...maintenance, recorded }, world.now() + 60_000);
  return { counts, failures: maintenance.failures };
}

/** One run of the timer in a new process: counts, failures, and the calls without the queries for due rows. */
export async function runMaintenance(world: World, options?: Partial<MaintainDeps>, hook?: Hook) {
  const process = world.start(hook);
  const { counts, failures } = await run(process, world, options);
  const { due, oldestDueOn, ...summary } = counts;
  // The timer removes the lists of days that have ended; tests need not wait for the end of the day.
  const { outcomeIndex, retention } = { ...world.start().deps, ...options };
  const keptSince = world.now() - (retention.outcomeDays - 1) * 86_400_000;
  await outcomeIndex.removeBefore(new Date(keptSince).toISOString(), Number.POSITIVE_INFINITY);
  const names = process.calls.names.filter((name) => name !== "expiry.query");
  return { summary, due, oldestDueOn, failures, names };
}
