import { rateLimitExceeded } from "../api-errors.ts";
import { ApiError } from "../errors.ts";
import type { Guard } from "./ports.ts";
import type { Decision } from "./session.ts";

/** How often sessions may be opened, and what a row of rejections leads to. */
export interface Limits {
  /** Creations that a device may have within the window. */
  creations: number;
  /** The same for a principal, whatever its devices. */
  ownerCreations: number;
  windowSeconds: number;
  /** Rejected outcomes in a row that lock a device out. */
  lockoutRejections: number;
  lockoutSeconds: number;
}

/**
 * Lets a creation in and notes it in the guard.
 *
 * @throws ApiError 429 with the seconds after which a place is free; 403 `DeviceLockedOut` with the time at which that ends.
 */
export function admit(guard: Guard | undefined, nowMs: number, limits: Limits): Guard {
  const { recent = [], rejectionsInARow = 0, lockedUntil } = guard ?? {};
  if (lockedUntil !== undefined && Date.parse(lockedUntil) > nowMs) throw lockedOut(lockedUntil);
  return {
    recent: admitOne(recent, nowMs, limits.creations, limits.windowSeconds),
    // A lock-out that is over has been served: the count begins anew.
    rejectionsInARow: lockedUntil === undefined ? rejectionsInARow : 0,
  };
}

/** The same for a principal, who has a number of creations and nothing else to guard. */
export function admitOwner(guard: Guard | undefined, nowMs: number, limits: Limits): Guard {
  return {
    recent: admitOne(guard?.recent ?? [], nowMs, limits.ownerCreations, limits.windowSeconds),
    rejectionsInARow: 0,
  };
}

function admitOne(recent: readonly string[], nowMs: number, limit: number, windowSeconds: number): string[] {
  const windowMs = windowSeconds * 1000;
  const counted = recent.filter((time) => Date.parse(time) > nowMs - windowMs);
  const oldest = counted.at(-limit);
  if (oldest !== undefined) {
    throw rateLimitExceeded(Math.max(1, Math.ceil((Date.parse(oldest) + windowMs - nowMs) / 1000)));
  }
  return [...counted, new Date(nowMs).toISOString()].sort();
}

/** The guard without a creation that came to nothing, or whose session is gone. */
export function giveBack(guard: Guard | undefined, createdOn: string): Guard | undefined {
  const index = guard?.recent.indexOf(createdOn) ?? -1;
  return guard && index >= 0 ? { ...guard, recent: guard.recent.toSpliced(index, 1) } : undefined;
}

/** Not 429 with a `Retry-After`, which the official clients would sleep out. */
function lockedOut(until: string): ApiError {
  return new ApiError(
    403,
    "DeviceLockedOut",
    `Too many checks of this device were rejected. It is locked out until ${until}.`,
  );
}

/** What a new outcome changes in the device's guard; undefined: nothing. */
export type GuardChange = Pick<Guard, "rejectionsInARow" | "lockedUntil">;

/** Whether an outcome bears on the lock-out: only a change to or from a row of rejections does. */
export function countsForLockout(before: Decision | undefined, after: Decision | undefined): boolean {
  return before !== after && (after === "rejected" || after === "accepted");
}

/** The guard after an outcome: a rejection counts, and enough of them lock; an acceptance ends the row. */
export function countOutcome(guard: Guard | undefined, decision: Decision, nowMs: number, limits: Limits): GuardChange {
  if (decision === "accepted") return { rejectionsInARow: 0 };
  const rejectionsInARow = (guard?.rejectionsInARow ?? 0) + 1;
  if (rejectionsInARow < limits.lockoutRejections) return { rejectionsInARow };
  return { rejectionsInARow, lockedUntil: new Date(nowMs + limits.lockoutSeconds * 1000).toISOString() };
}
