import { deviceLockedOut, rateLimitExceeded } from "../../api-errors.ts";
import { iso } from "../../time.ts";
import { type Caller, type CountedFor, services } from "../model/caller.ts";
import type { Reserved } from "../model/creations.ts";
import type { Admit, Guard, GuardChange } from "../model/guard.ts";
import type { Ports } from "../model/ports.ts";
import type { Decision, SessionRecord, StoredSession } from "../model/session.ts";
import type { Limits } from "../model/settings.ts";
import type { Plan } from "./plan-session.ts";

/**
 * Admits a creation and records it in the guard.
 *
 * @throws ApiError 429 with the seconds until the limit allows a creation; 403 `DeviceLockedOut` with the end of the
 *   lockout.
 */
export function admit(guard: Guard | undefined, nowMs: number, limits: Limits): Guard {
  const { recent = [], rejectionsInARow = 0, lockedUntil } = guard ?? {};
  if (lockedUntil !== undefined && isLockedOut(guard, nowMs)) throw deviceLockedOut(lockedUntil);
  return {
    recent: admitOne(recent, nowMs, limits.creations, limits.windowSeconds),
    // The count starts at zero after a lockout.
    rejectionsInARow: lockedUntil === undefined ? rejectionsInARow : 0,
    changedOn: iso(nowMs),
  };
}

export function isLockedOut(guard: Guard | undefined, nowMs: number): boolean {
  return guard?.lockedUntil !== undefined && Date.parse(guard.lockedUntil) > nowMs;
}

/** Like `admit`, for the sessions of one user on all devices, which have no lockout. Throws `ApiError` 429. */
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
 * Records a session whose device became known after the session was opened. The session exists, so it is never refused.
 * Only the latest creations, as many as the limit, affect later admissions; older ones are dropped.
 */
export function countBound(guard: Guard | undefined, createdOn: string, nowMs: number, limits: Limits): Guard {
  return {
    rejectionsInARow: 0,
    ...guard,
    recent: [...(guard?.recent ?? []), createdOn].sort().slice(-limits.creations),
    changedOn: iso(nowMs),
  };
}

/** The guard without a creation that failed or whose session is erased. Undefined if the guard does not contain it. */
export function refundCreation(guard: Guard | undefined, createdOn: string, nowMs: number): Guard | undefined {
  const index = guard?.recent.indexOf(createdOn) ?? -1;
  if (guard === undefined || index < 0) return undefined;
  return { ...guard, recent: guard.recent.toSpliced(index, 1), changedOn: iso(nowMs) };
}

/** Ends all lockouts of a device, and forgets the rejections that count towards the next one. */
export function liftLockouts({ devices, now }: Pick<LimitDeps, "devices" | "now">, device: string): Promise<void> {
  return devices.editGuards(device, (guard) => endLockout(guard, now()));
}

/** The guard without its lockout and the rejections that led to it. Undefined if it has neither. */
export function endLockout(guard: Guard | undefined, nowMs: number): Guard | undefined {
  if (guard === undefined) return undefined;
  const { recent, rejectionsInARow, lockedUntil } = guard;
  if (rejectionsInARow === 0 && lockedUntil === undefined) return undefined;
  return { recent, rejectionsInARow: 0, changedOn: iso(nowMs) };
}

/** Whether an outcome affects the lockout: only a change to `rejected` or `accepted` does. */
export function countsForLockout(before: Decision | undefined, after: Decision | undefined): boolean {
  return before !== after && (after === "rejected" || after === "accepted");
}

/** The guard after an outcome: enough successive rejections lock the device out, an acceptance resets the count. */
export function countOutcome(guard: Guard | undefined, decision: Decision, nowMs: number, limits: Limits): GuardChange {
  const changedOn = iso(nowMs);
  if (decision === "accepted") return { rejectionsInARow: 0, changedOn };
  const rejectionsInARow = (guard?.rejectionsInARow ?? 0) + 1;
  if (rejectionsInARow < limits.lockoutRejections) return { rejectionsInARow, changedOn };
  return { rejectionsInARow, lockedUntil: iso(nowMs + limits.lockoutSeconds * 1000), changedOn };
}

/** A creation counts in the limit of its device, and if a user creates it, also in the limit of the user. */
export type LimitDeps = Pick<Ports, "creations" | "devices" | "now" | "limits">;

/** Admits the creation under the limit of its device. */
export function admission({ limits }: Pick<LimitDeps, "limits">, { creation }: Plan): Admit {
  return (guard) => admit(guard, Date.parse(creation.createdOn), limits);
}

/** Counts the creation in the limit of the user, or throws as `admitOwner`. Trusted services have no such limit. */
export async function countForOwner({ devices, limits }: LimitDeps, { command, creation }: Plan): Promise<void> {
  const owner = limitedOwner(command.caller);
  if (owner === undefined) return;
  await devices.editOwnerGuard(owner, (guard) => admitOwner(guard, Date.parse(creation.createdOn), limits));
}

/** Removes the creation from the counts of the user. */
export async function refundForOwner({ devices, now }: LimitDeps, { command, creation }: Plan): Promise<void> {
  const owner = limitedOwner(command.caller);
  if (owner === undefined) return;
  await devices.editOwnerGuard(owner, (guard) => refundCreation(guard, creation.createdOn, now()));
}

/** Removes the creation from the counts of the device. */
export async function refundForDevice(
  { creations, now }: LimitDeps,
  { creation }: Plan,
  reserved: Reserved,
): Promise<void> {
  await creations.editGuard(reserved, (guard) => refundCreation(guard, creation.createdOn, now()));
}

/** Removes the creation from all counts. */
export async function refundCounts(deps: LimitDeps, plan: Plan, reserved: Reserved): Promise<void> {
  await Promise.all([refundForDevice(deps, plan, reserved), refundForOwner(deps, plan)]);
}

/** Waits for an undo step and ignores its error: the caller gets the error that made the step necessary. */
export async function ignoreErrors(step: Promise<unknown>): Promise<void> {
  await step.catch(() => undefined);
}

/** Undefined for trusted services: they open sessions on behalf of many users. */
function limitedOwner(caller: Caller): string | undefined {
  const counted = countedFor(caller);
  return counted === services ? undefined : counted;
}

export function countedFor({ trusted, owner = services }: Caller): CountedFor {
  return trusted ? services : owner;
}

/**
 * The outcome's change to the guard that counts the session; undefined if there is none.
 *
 * @param before the decision that the guard has counted.
 */
export async function guardChange(
  { devices, now, limits }: Pick<Ports, "devices" | "now" | "limits">,
  stored: StoredSession,
  before: Decision | undefined,
  { decision, deviceCorrelationId }: SessionRecord,
) {
  if (deviceCorrelationId === undefined || decision === undefined) return undefined;
  if (!countsForLockout(before, decision)) return undefined;
  // A rejection increases the guard's count, which must be read; an acceptance resets the count.
  const known = decision === "rejected" ? await devices.guardOf(stored) : undefined;
  const change = countOutcome(known?.guard, decision, now(), limits);
  return { change, version: known?.version, isLocked: isLockedOut(known?.guard, now()) };
}

/**
 * The change to the guard; undefined if the device is locked out already, so that the outcome only prolongs the
 * lockout.
 */
export function newLockout(guard: Awaited<ReturnType<typeof guardChange>>) {
  return guard?.isLocked ? undefined : guard?.change;
}
