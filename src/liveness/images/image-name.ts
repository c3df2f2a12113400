import { referenceIdPattern } from "../../face/model.ts";
import type { Caller } from "../model/caller.ts";
import type { HeldImageName, OwnFolder } from "../model/images.ts";

/**
 * Name of the image with an id. Services share one namespace and every user has its own, so an id in one of them has no
 * effect in another.
 *
 * @throws TypeError if the id does not match `referenceIdPattern`; callers check that before.
 */
export function heldImageName(caller: Caller, referenceImageId: string): HeldImageName {
  if (!referenceIdPattern.test(referenceImageId)) throw new TypeError("The id of a reference image is not well-formed");
  const folder = ownFolder(caller);
  return folder === undefined ? `held/${referenceImageId}` : `${folder}${referenceImageId}`;
}

/** The folder of a user's images. Undefined for a trusted service, even with a user's principal. */
export function ownFolder({ trusted, owner }: Caller): OwnFolder | undefined {
  if (trusted) return undefined;
  if (owner === undefined) throw new TypeError("A caller that is not trusted has an owner");
  return `held-by/${owner}/`;
}
