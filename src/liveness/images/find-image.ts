import * as z from "zod";
import { type Caller, mayUse } from "../model/caller.ts";
import type { ImageName, Images } from "../model/images.ts";
import { heldImageName } from "./image-name.ts";

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
