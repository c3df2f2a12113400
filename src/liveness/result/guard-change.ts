import type { Ports } from "../model/ports.ts";
import type { Decision, SessionRecord, StoredSession } from "../model/session.ts";
import { countOutcome, countsForLockout, isLockedOut } from "../open/limits.ts";

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
