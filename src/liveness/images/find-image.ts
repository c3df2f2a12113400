import * as z from "zod";
import { referenceIdPattern } from "../../face/model.ts";
import { type Caller, mayUse } from "../model/caller.ts";
import type { HeldImageName, ImageName, Images, OwnFolder } from "../model/images.ts";

/**
 * Reads an image by its id: from the caller's namespace, or else the image that was uploaded with the creation of this id.
 * Undefined if neither exists, or the caller may not use the uploaded image.
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
 * Name of the stored image with this id. Services share one namespace, and every user has a namespace of their own, so the
 * same id names different images.
 *
 * @throws TypeError if the id does not match `referenceIdPattern`, which callers check before.
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
