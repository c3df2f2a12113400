import { deviceLockedOut, rateLimitExceeded } from "../../api-errors.ts";
import type { Guard, GuardChange } from "../model/guard.ts";
import type { Decision } from "../model/session.ts";

/** How often sessions may be opened, and what a row of rejections leads to. */
export interface Limits {
  /** Creations that a device may have within the window. */
  creations: number;
  /** The same for a principal, whatever its devices. */
  ownerCreations: number;
  /** Reference images that a user may keep. */
  ownerImages: number;
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
  if (lockedUntil !== undefined && Date.parse(lockedUntil) > nowMs) throw deviceLockedOut(lockedUntil);
  return {
    recent: admitOne(recent, nowMs, limits.creations, limits.windowSeconds),
    // A lock-out that is over has been served: the count begins anew.
    rejectionsInARow: lockedUntil === undefined ? rejectionsInARow : 0,
    changedOn: iso(nowMs),
  };
}

/** The same for a principal, who has a number of creations and nothing else to guard. */
export function admitOwner(guard: Guard | undefined, nowMs: number, limits: Limits): Guard {
  return {
    recent: admitOne(guard?.recent ?? [], nowMs, limits.ownerCreations, limits.windowSeconds),
    rejectionsInARow: 0,
    changedOn: iso(nowMs),
  };
}

function admitOne(recent: readonly string[], nowMs: number, limit: number, windowSeconds: number): string[] {
  const windowMs = windowSeconds * 1000;
  const counted = recent.filter((time) => Date.parse(time) > nowMs - windowMs);
  const oldest = counted.at(-limit);
  if (oldest !== undefined) {
    throw rateLimitExceeded(Math.max(1, Math.ceil((Date.parse(oldest) + windowMs - nowMs) / 1000)));
  }
  return [...counted, iso(nowMs)].sort();
}

/**
 * Notes a session that turns out to be the device's after it was opened. It exists, so it is never refused. Of more
 * creations than the limit, only the latest bear on what is let in, and only they are kept.
 */
export function countBound(guard: Guard | undefined, createdOn: string, nowMs: number, limits: Limits): Guard {
  return {
    rejectionsInARow: 0,
    ...guard,
    recent: [...(guard?.recent ?? []), createdOn].sort().slice(-limits.creations),
    changedOn: iso(nowMs),
  };
}

/** The guard without a creation that came to nothing, or whose session is gone. Undefined where it does not hold it. */
export function refundCreation(guard: Guard | undefined, createdOn: string, nowMs: number): Guard | undefined {
  const index = guard?.recent.indexOf(createdOn) ?? -1;
  if (guard === undefined || index < 0) return undefined;
  return { ...guard, recent: guard.recent.toSpliced(index, 1), changedOn: iso(nowMs) };
}

/** The guard without its lock-out, and without the rejections that led to it. Undefined where it has neither. */
export function endLockout(guard: Guard | undefined, nowMs: number): Guard | undefined {
  if (guard === undefined) return undefined;
  const { recent, rejectionsInARow, lockedUntil } = guard;
  if (rejectionsInARow === 0 && lockedUntil === undefined) return undefined;
  return { recent, rejectionsInARow: 0, changedOn: iso(nowMs) };
}

/** Whether an outcome bears on the lock-out: only a change to or from a row of rejections does. */
export function countsForLockout(before: Decision | undefined, after: Decision | undefined): boolean {
  return before !== after && (after === "rejected" || after === "accepted");
}

/** The guard after an outcome: a rejection counts, and enough of them lock; an acceptance ends the row. */
export function countOutcome(guard: Guard | undefined, decision: Decision, nowMs: number, limits: Limits): GuardChange {
  const changedOn = iso(nowMs);
  if (decision === "accepted") return { rejectionsInARow: 0, changedOn };
  const rejectionsInARow = (guard?.rejectionsInARow ?? 0) + 1;
  if (rejectionsInARow < limits.lockoutRejections) return { rejectionsInARow, changedOn };
  return { rejectionsInARow, lockedUntil: iso(nowMs + limits.lockoutSeconds * 1000), changedOn };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
