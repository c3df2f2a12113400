import * as z from "zod";
import { referenceIdPattern } from "../../face/model.ts";
import { type Caller, mayUse } from "../model/caller.ts";
import type { HeldImageName, ImageName, Images, OwnFolder } from "../model/images.ts";

/**
 * Reads an image by its id: one of the caller's namespace, else the one that was uploaded with the creation of this id.
 * Undefined if there is none for the caller.
 *
 * A user's ownership of an uploaded image is checked before its bytes are read, so that the image of another user takes the
 * same steps as a missing one.
 */
export async function findImage<T>(
  images: Images,
  caller: Caller,
  id: string,
  read: (name: ImageName) => Promise<T | undefined>,
): Promise<T | undefined> {
  const held = await read(heldImageName(caller, id));
  if (held !== undefined || !z.uuid().safeParse(id).success) return held;
  const uploaded = `sessions/${id}` as const;
  if (caller.trusted) return read(uploaded);
  const facts = await images.facts(uploaded);
  return facts !== undefined && mayUse(caller, facts) ? read(uploaded) : undefined;
}

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
