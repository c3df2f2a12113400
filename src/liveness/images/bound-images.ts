import type { HeldImageName, StoredImageFacts } from "../model/images.ts";
import type { Ports } from "../model/ports.ts";
import type { Version } from "../model/references.ts";

export type BoundImageDeps = Pick<Ports, "images" | "devices" | "now">;

/**
 * Writes a note at the device that the image is bound to it, by which an erasure finds the image. Returns the note's
 * version.
 */
export function noteBinding({ devices, now }: BoundImageDeps, device: string, name: HeldImageName): Promise<Version> {
  return devices.bindImage(device, name, new Date(now()).toISOString());
}

/**
 * Makes the device's note agree with the image: there is a note exactly if the image is bound to the device. Every request
 * that has changed the image calls this for each device concerned. The request writes the note, then reads the image, and
 * removes its own version of the note if the image is not bound to the device. So the last of several concurrent requests
 * leaves a correct note.
 */
export async function settleNote(deps: BoundImageDeps, device: string, name: HeldImageName): Promise<void> {
  const note = await noteBinding(deps, device, name);
  const facts = await deps.images.facts(name);
  if (facts?.deviceCorrelationId !== device) await deps.devices.unbindImage(device, name, note);
}

/** Removes one version of an image, and its note. False if the image was replaced or removed concurrently. */
export async function removeVersion(
  deps: BoundImageDeps,
  name: HeldImageName,
  { version, deviceCorrelationId }: Pick<StoredImageFacts, "version" | "deviceCorrelationId">,
): Promise<boolean> {
  const removed = await deps.images.delete(name, version);
  if (removed && deviceCorrelationId !== undefined) await settleNote(deps, deviceCorrelationId, name);
  return removed;
}
