import { ApiError } from "../../errors.ts";
import type { Clock } from "../model/clock.ts";
import type { Devices } from "../model/devices.ts";
import type { HeldImageName, Images, StoredImageFacts } from "../model/images.ts";
import type { Version } from "../model/references.ts";

export interface BoundImageDeps {
  images: Images;
  devices: Devices;
  now: Clock;
}

/** Notes in the device's partition that the image is bound to it. Answers the note's version. */
export function noteBinding({ devices, now }: BoundImageDeps, device: string, name: HeldImageName): Promise<Version> {
  return devices.bindImage(device, name, new Date(now()).toISOString());
}

/**
 * Leaves a note at the device exactly where the image is bound to it. Every request that has changed the image calls this
 * for each device concerned. A note is removed only by the request that wrote it, after it has read, later than that
 * write, that the image is not bound to the device: so of several concurrent requests the last one leaves the note right.
 */
export async function settleNote(deps: BoundImageDeps, device: string, name: HeldImageName): Promise<void> {
  const note = await noteBinding(deps, device, name);
  const facts = await deps.images.facts(name);
  if (facts?.deviceCorrelationId !== device) await deps.devices.unbindImage(device, name, note);
}

/** Removes one version of an image, and its note. False where the image has been replaced or removed since. */
export async function removeVersion(
  deps: BoundImageDeps,
  name: HeldImageName,
  { etag, deviceCorrelationId }: Pick<StoredImageFacts, "etag" | "deviceCorrelationId">,
): Promise<boolean> {
  const removed = await deps.images.delete(name, { ifMatch: etag }).catch(unlessReplaced(false));
  if (removed && deviceCorrelationId !== undefined) await settleNote(deps, deviceCorrelationId, name);
  return removed;
}

/** For `catch`: answers the value where another request has changed the image meanwhile, and throws any other error on. */
export function unlessReplaced<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof ApiError && error.code === "ConditionNotMet") return value;
    throw error;
  };
}
