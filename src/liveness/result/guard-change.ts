import type { Ports } from "../model/ports.ts";
import type { Decision, SessionRecord, StoredSession } from "../model/session.ts";
import { countOutcome, countsForLockout, isLockedOut } from "../open/limits.ts";

/** The outcome's change to the guard that counts the session. @param before the decision that the guard counts already. */
export async function guardChange(
  { devices, now, limits }: Pick<Ports, "devices" | "now" | "limits">,
  stored: StoredSession,
  before: Decision | undefined,
  { decision, deviceCorrelationId }: SessionRecord,
) {
  if (deviceCorrelationId === undefined || decision === undefined) return undefined;
  if (!countsForLockout(before, decision)) return undefined;
  // A rejection adds to the guard's count, an acceptance resets it whatever it is.
  const known = decision === "rejected" ? await devices.guardOf(stored) : undefined;
  const change = countOutcome(known?.guard, decision, now(), limits);
  return { change, version: known?.version, isLocked: isLockedOut(known?.guard, now()) };
}

/** The lock-out that an outcome begins: not one that it prolongs. */
export function newLockout(guard: Awaited<ReturnType<typeof guardChange>>) {
  return guard?.isLocked ? undefined : guard?.change;
}
