import { type Caller, countedFor, services } from "../model/caller.ts";
import type { Clock } from "../model/clock.ts";
import type { Creations, Reserved } from "../model/creations.ts";
import type { Devices } from "../model/devices.ts";
import type { Admit } from "../model/guard.ts";
import { admit, admitOwner, type Limits, refundCreation } from "./limits.ts";
import type { Plan } from "./plan-session.ts";

/** The places that a creation takes: among the sessions of its device, and for a user among all of the user's sessions. */

export interface PlaceDeps {
  creations: Creations;
  devices: Devices;
  now: Clock;
  limits: Limits;
}

/** Admits the creation to its device. */
export function admission({ limits }: Pick<PlaceDeps, "limits">, { creation }: Plan): Admit {
  return (guard) => admit(guard, Date.parse(creation.createdOn), limits);
}

/** Takes the place among the user's sessions, or throws what `admitOwner` throws. Trusted services have no such limit. */
export async function takeOwnerPlace({ devices, limits }: PlaceDeps, { command, creation }: Plan): Promise<void> {
  const owner = limitedOwner(command.caller);
  if (owner === undefined) return;
  await devices.editOwnerGuard(owner, (guard) => admitOwner(guard, Date.parse(creation.createdOn), limits));
}

/** Refunds the place among the user's sessions. */
export async function refundOwnerPlace({ devices, now }: PlaceDeps, { command, creation }: Plan): Promise<void> {
  const owner = limitedOwner(command.caller);
  if (owner === undefined) return;
  await devices.editOwnerGuard(owner, (guard) => refundCreation(guard, creation.createdOn, now()));
}

/** Refunds the place among the sessions of the device. */
export async function refundDevicePlace(
  { creations, now }: PlaceDeps,
  { creation }: Plan,
  reserved: Reserved,
): Promise<void> {
  await creations.editGuard(reserved, (guard) => refundCreation(guard, creation.createdOn, now()));
}

/** Refunds all places of a creation. */
export async function refundPlaces(deps: PlaceDeps, plan: Plan, reserved: Reserved): Promise<void> {
  await Promise.all([refundDevicePlace(deps, plan, reserved), refundOwnerPlace(deps, plan)]);
}

/** For undo steps: the caller receives the error that caused them, not theirs. */
export async function ignoreErrors(step: Promise<unknown>): Promise<void> {
  await step.catch(() => undefined);
}

/** Undefined for trusted services: they open sessions on behalf of many users. */
function limitedOwner(caller: Caller): string | undefined {
  const counted = countedFor(caller);
  return counted === services ? undefined : counted;
}
