import type { Guard } from "./ports.ts";

/** How far back a device's creations are remembered. */
const windowMs = 600_000;
/** More times than this are not kept: the row stays small whatever happens. */
const maxRemembered = 100;

/** Notes a creation in the device's guard. */
export function admit(guard: Guard | undefined, nowMs: number): Guard {
  const since = new Date(nowMs - windowMs).toISOString();
  const recent = (guard?.recent ?? []).filter((time) => time > since);
  return {
    rejectionsInARow: 0,
    ...guard,
    recent: [...recent, new Date(nowMs).toISOString()].slice(-maxRemembered),
  };
}
