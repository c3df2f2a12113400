import type { Caller } from "../model/caller.ts";
import type { Conditions, HeldImageName, NewImage, StoredImageFacts } from "../model/images.ts";
import type { Limits } from "../open/limits.ts";
import { type BoundImageDeps, noteBinding, removeVersion, settleNote, unlessReplaced } from "./bound-images.ts";
import { heldImageName, ownFolder } from "./image-name.ts";
import { inspectImage } from "./inspect-image.ts";

export interface KeepImageDeps extends BoundImageDeps {
  limits: Pick<Limits, "ownerImages">;
}

export interface ImageToKeep {
  referenceImageId: string;
  bytes: Uint8Array;
  /** Default: the device to which the replaced image is bound, if any. */
  deviceCorrelationId?: string;
  conditions: Conditions;
}

export interface KeptImage extends Pick<NewImage, "facts" | "deviceCorrelationId"> {
  etag: string;
  created: boolean;
}

/** Why nothing was changed, by the code of the error. */
export interface Refused {
  refusal: "ConditionNotMet" | "TooManyReferenceImages" | "ServerBusy";
}

/** How often a change is tried while other requests change the same image. */
const maxRounds = 10;

/**
 * Keeps an image in the caller's namespace, or replaces the one that is there. Each try changes exactly the version that
 * it has looked at, so the conditions, the limit and the notes at devices hold with any number of concurrent requests.
 *
 * @throws ApiError `InvalidImage`, `InvalidImageSize`.
 */
export async function keepImage(deps: KeepImageDeps, caller: Caller, asked: ImageToKeep): Promise<KeptImage | Refused> {
  const name = heldImageName(caller, asked.referenceImageId);
  const { bytes, conditions } = asked;
  const facts = inspectImage(bytes);
  for (let round = 1; round <= maxRounds; round += 1) {
    const existing = await deps.images.facts(name);
    if (!holds(conditions, existing?.etag)) return { refusal: "ConditionNotMet" };
    const isNew = existing === undefined;
    if (isNew && (await holdsMoreThan(deps, caller, deps.limits.ownerImages - 1))) {
      return { refusal: "TooManyReferenceImages" };
    }
    const device = asked.deviceCorrelationId ?? existing?.deviceCorrelationId;
    const bound = device !== undefined && { deviceCorrelationId: device };
    const etag = await replaceVersion(deps, name, existing, { bytes, facts, ...bound });
    if (etag === undefined) continue;
    if (isNew && !(await staysWithinLimit(deps, caller, name))) return { refusal: "TooManyReferenceImages" };
    return { etag, created: isNew, facts, ...bound };
  }
  return { refusal: "ServerBusy" };
}

/** Removes an image of the caller's namespace. False where there is none. */
export async function removeImage(
  deps: BoundImageDeps,
  caller: Caller,
  { referenceImageId, conditions }: Pick<ImageToKeep, "referenceImageId" | "conditions">,
): Promise<boolean | Refused> {
  const name = heldImageName(caller, referenceImageId);
  for (let round = 1; round <= maxRounds; round += 1) {
    const existing = await deps.images.facts(name);
    if (!holds(conditions, existing?.etag)) return { refusal: "ConditionNotMet" };
    if (existing === undefined) return false;
    if (await removeVersion(deps, name, existing)) return true;
  }
  return { refusal: "ServerBusy" };
}

function holds({ ifMatch, ifNoneMatch }: Conditions, version: string | undefined): boolean {
  const matches = (condition: string) => version !== undefined && (condition === "*" || condition === version);
  return (ifMatch === undefined || matches(ifMatch)) && (ifNoneMatch === undefined || !matches(ifNoneMatch));
}

/** The new version; undefined where another request has changed the image since `existing` was read. */
async function replaceVersion(
  deps: KeepImageDeps,
  name: HeldImageName,
  existing: StoredImageFacts | undefined,
  image: NewImage,
): Promise<string | undefined> {
  const { deviceCorrelationId: device } = image;
  // Noted before the image is there: an erasure finds it wherever this request stops.
  if (device !== undefined) await noteBinding(deps, device, name);
  const version = existing === undefined ? { ifNoneMatch: "*" } : { ifMatch: existing.etag };
  const put = await deps.images.put(name, image, version).catch(unlessReplaced(undefined));
  for (const concerned of new Set([device, existing?.deviceCorrelationId])) {
    if (concerned !== undefined) await settleNote(deps, concerned, name);
  }
  return put?.etag;
}

/**
 * Whether the user's images are no more than the limit allows, the new one among them. If they are more, the new one is
 * removed, whatever its current version: otherwise a concurrent replacement could keep it.
 */
async function staysWithinLimit(deps: KeepImageDeps, caller: Caller, name: HeldImageName): Promise<boolean> {
  for (let round = 1; round <= maxRounds; round += 1) {
    if (!(await holdsMoreThan(deps, caller, deps.limits.ownerImages))) return true;
    const current = await deps.images.facts(name);
    if (current === undefined || (await removeVersion(deps, name, current))) return false;
  }
  return false;
}

/** Counts the images themselves. Services have no limit. */
async function holdsMoreThan({ images }: KeepImageDeps, caller: Caller, count: number): Promise<boolean> {
  const folder = ownFolder(caller);
  return folder !== undefined && (await images.count(folder, count + 1)) > count;
}
