import { referenceIdPattern } from "../../face/model.ts";
import type { Caller } from "../model/caller.ts";
import type { HeldImageName, OwnFolder } from "../model/images.ts";

/**
 * The image that the caller means by an id. Services share one namespace and every user has its own, so an id that is in
 * use in one of them has no effect in another.
 *
 * @throws TypeError where the id does not match `referenceIdPattern`, which callers of this function check before.
 */
export function heldImageName(caller: Caller, referenceImageId: string): HeldImageName {
  if (!referenceIdPattern.test(referenceImageId)) throw new TypeError("The id of a reference image is not well-formed");
  const folder = ownFolder(caller);
  return folder === undefined ? `held/${referenceImageId}` : `${folder}${referenceImageId}`;
}

/** Where the images of a user are. Undefined for a trusted service, also where it comes with a user's principal. */
export function ownFolder({ trusted, owner }: Caller): OwnFolder | undefined {
  if (trusted) return undefined;
  if (owner === undefined) throw new TypeError("A caller that is not trusted has an owner");
  return `held-by/${owner}/`;
}
