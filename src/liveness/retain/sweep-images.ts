import { ApiError } from "../../errors.ts";
import { type BoundImageDeps, removeVersion } from "../images/bound-images.ts";
import type { HeldImageName, ImageName, Images, ListedImage } from "../model/images.ts";
import type { Ports } from "../model/ports.ts";
import { longestTokenMs } from "./retention.ts";
import { walkOn } from "./walk.ts";

export interface SweepDeps extends BoundImageDeps, Pick<Ports, "bookmarks" | "retention"> {
  onFailure(failure: { image?: string; cause: unknown }): void;
}

/** Added to the age, because the image of a scheduled session is removed by its schedule entry first. */
const graceMs = 10 * 60_000;

/**
 * Removes images by their age alone: uploaded ones whose creation stored nothing else, and held ones beyond the retention.
 * A session whose token may be valid keeps its image.
 *
 * @returns the number of removed images. Failures are reported to `onFailure`.
 */
export function sweepImages(deps: SweepDeps, deadline: number): Promise<number> {
  const prefix = deps.retention.referenceImageDays === undefined ? "sessions/" : "";
  return walkOn(
    deps,
    {
      name: "images",
      list: (position) => listFrom(deps.images, prefix, position),
      async visit(images) {
        let removed = 0;
        for (const image of images) if (isOutdated(deps, image) && (await remove(deps, image))) removed += 1;
        return removed;
      },
    },
    deadline,
  );
}

/** Starts from the beginning if the bookmark is no longer valid. */
async function listFrom(images: Images, prefix: "sessions/" | "", position: string | undefined) {
  try {
    return await images.list(prefix, position);
  } catch (error) {
    if (position === undefined || error instanceof ApiError) throw error;
    return images.list(prefix);
  }
}

function isOutdated({ now, retention }: SweepDeps, { name, createdOn }: ListedImage): boolean {
  const ageMs = now() - Date.parse(createdOn);
  if (!isHeld(name)) {
    return ageMs >= Math.max(retention.sessionHours * 3_600_000, longestTokenMs) + graceMs;
  }
  return retention.referenceImageDays !== undefined && ageMs >= retention.referenceImageDays * 86_400_000;
}

/** False after a concurrent removal or replacement, or a failure, which is reported. */
async function remove(deps: SweepDeps, image: ListedImage): Promise<boolean> {
  const { name, version } = image;
  try {
    return await (isHeld(name) ? removeVersion(deps, name, image) : deps.images.delete(name, version));
  } catch (cause) {
    deps.onFailure({ image: name, cause });
    return false;
  }
}

function isHeld(name: ImageName): name is HeldImageName {
  return !name.startsWith("sessions/");
}
