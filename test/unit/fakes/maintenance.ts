import { drain, type MaintainDeps } from "../../../src/liveness/retain/maintain.ts";
import type { Hook } from "./calls.ts";
import type { Process, World } from "./world.ts";

/** One run of the timer in the process, whose deadline is a minute ahead. */
export function drainOnce(process: Process, world: World, options?: Partial<MaintainDeps>) {
  return drain(process.maintenance(options), world.now() + 60_000);
}

/** One run of the timer in a new process: counts, failures, and the calls without the queries for due rows. */
export async function runMaintenance(world: World, options?: Partial<MaintainDeps>, hook?: Hook) {
  const process = world.start(hook);
  const maintenance = process.maintenance(options);
  const { due, oldestDueOn, ...summary } = await drain(maintenance, world.now() + 60_000);
  const names = process.calls.names.filter((name) => name !== "expiry.query");
  return { summary, due, oldestDueOn, failures: maintenance.failures, names };
}
