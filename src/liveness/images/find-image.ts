import * as z from "zod";
import { type Caller, mayUse } from "../model/caller.ts";
import type { ImageName, Images } from "../model/images.ts";
import { heldImageName } from "./image-name.ts";

/**
 * Reads the image that the caller means by an id: one of its namespace, else the one that came with a creation of this
 * id, as long as its session is kept. Undefined where there is none for the caller.
 *
 * A user's ownership of the latter is checked before any of its bytes are read: another's image takes the same steps as
 * one that is not there.
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
