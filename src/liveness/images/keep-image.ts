import { compact } from "../../compact.ts";
import type { Caller } from "../model/caller.ts";
import type { HeldImageName, NewImage, Permits, StoredImageFacts } from "../model/images.ts";
import type { Ports } from "../model/ports.ts";
import type { Version } from "../model/references.ts";
import { type BoundImageDeps, noteBinding, removeVersion, settleNote } from "./bound-images.ts";
import { heldImageName, ownFolder } from "./find-image.ts";
import { inspectImage } from "./inspect-image.ts";

export type KeepImageDeps = Pick<Ports, "images" | "devices" | "now" | "limits">;

export interface ImageToKeep {
  referenceImageId: string;
  bytes: Uint8Array;
  /** Default: the device to which the replaced image is bound, if any. */
  deviceCorrelationId?: string;
  permits: Permits;
}

export interface KeptImage extends Pick<NewImage, "facts" | "deviceCorrelationId"> {
  version: Version;
  created: boolean;
}

/** Why nothing was changed. */
export interface Refused {
  refusal: "conditionNotMet" | "tooManyImages" | "changedConcurrently";
}

/** Most tries of a change while other requests change the same image. */
const maxRounds = 10;

/**
 * Stores or replaces an image in the caller's namespace. Each try changes exactly the version that it has read, so that the
 * conditions, the limit and the notes at devices are correct with any number of concurrent requests.
 *
 * @throws ApiError `InvalidImage`, `InvalidImageSize`.
 */
export async function keepImage(deps: KeepImageDeps, caller: Caller, asked: ImageToKeep): Promise<KeptImage | Refused> {
  const name = heldImageName(caller, asked.referenceImageId);
  const { bytes, permits } = asked;
  const facts = inspectImage(bytes);
  for (let round = 1; round <= maxRounds; round += 1) {
    const existing = await deps.images.facts(name);
    if (!permits(existing?.version)) return { refusal: "conditionNotMet" };
    const isNew = existing === undefined;
    if (isNew && (await holdsMoreThan(deps, caller, deps.limits.ownerImages - 1))) {
      return { refusal: "tooManyImages" };
    }
    const device = asked.deviceCorrelationId ?? existing?.deviceCorrelationId;
    const bound = compact({ deviceCorrelationId: device });
    const version = await replaceVersion(deps, name, existing, { bytes, facts, ...bound });
    if (version === undefined) continue;
    if (isNew && !(await staysWithinLimit(deps, caller, name))) return { refusal: "tooManyImages" };
    return { version, created: isNew, facts, ...bound };
  }
  return { refusal: "changedConcurrently" };
}

/** Removes an image of the caller's namespace. False if there is none. */
export async function removeImage(
  deps: BoundImageDeps,
  caller: Caller,
  { referenceImageId, permits }: Pick<ImageToKeep, "referenceImageId" | "permits">,
): Promise<boolean | Refused> {
  const name = heldImageName(caller, referenceImageId);
  for (let round = 1; round <= maxRounds; round += 1) {
    const existing = await deps.images.facts(name);
    if (!permits(existing?.version)) return { refusal: "conditionNotMet" };
    if (existing === undefined) return false;
    if (await removeVersion(deps, name, existing)) return true;
  }
  return { refusal: "changedConcurrently" };
}

/** Returns the new version; undefined if another request has changed the image since `existing` was read. */
async function replaceVersion(
  deps: KeepImageDeps,
  name: HeldImageName,
  existing: StoredImageFacts | undefined,
  image: NewImage,
): Promise<Version | undefined> {
  const { deviceCorrelationId: device } = image;
  // The note is written before the image, so that an erasure finds the image even if this request stops in between.
  if (device !== undefined) await noteBinding(deps, device, name);
  const version = await deps.images.put(name, image, existing?.version ?? "none");
  for (const concerned of new Set([device, existing?.deviceCorrelationId])) {
    if (concerned !== undefined) await settleNote(deps, concerned, name);
  }
  return version;
}

/**
 * Whether the user's images, including the new one, are within the limit. If not, the new image is removed in whatever
 * version it has then: otherwise a concurrent replacement could keep it.
 */
async function staysWithinLimit(deps: KeepImageDeps, caller: Caller, name: HeldImageName): Promise<boolean> {
  for (let round = 1; round <= maxRounds; round += 1) {
    if (!(await holdsMoreThan(deps, caller, deps.limits.ownerImages))) return true;
    const current = await deps.images.facts(name);
    if (current === undefined || (await removeVersion(deps, name, current))) return false;
  }
  return false;
}

/** Whether the user has more images than `count`. Services have no limit. */
async function holdsMoreThan({ images }: KeepImageDeps, caller: Caller, count: number): Promise<boolean> {
  const folder = ownFolder(caller);
  return folder !== undefined && (await images.count(folder, count + 1)) > count;
}
