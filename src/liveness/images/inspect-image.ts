import { createHash } from "node:crypto";
import { disableTypes, imageSize, types } from "image-size";
import { invalidImage, invalidImageSize } from "../../api-errors.ts";
import type { ImageFacts } from "../model/ports.ts";

/** What the service takes: 1 KB to 6 MB, and at least the 36 pixels that its smallest face has. */
export const imageLimits = {
  minBytes: 1024,
  maxBytes: 6 * 1024 * 1024,
  minPixels: 36,
  maxPixels: 4096,
} as const;

/** What may stand in `If-Match` and `If-None-Match`: one ETag, or `*`. Storage takes a comma for the end of a tag. */
export const conditionShape = /^(\*|(W\/)?"[\x21\x23-\x2b\x2d-\x7e]*")$/;

/** The formats that the service decodes, with their names in `image-size`. */
const formats = [
  ["jpg", "image/jpeg"],
  ["png", "image/png"],
  ["gif", "image/gif"],
  ["bmp", "image/bmp"],
] as const;

/** Media types of images. */
export const imageTypes = formats.map(([, type]) => type);
export type ImageType = (typeof imageTypes)[number];

const contentTypes = new Map<string | undefined, ImageType>(formats);

// The library reads a dozen more formats; their parsers have no business with what strangers send.
disableTypes(types.filter((type) => !contentTypes.has(type)));

/**
 * A JPEG's size stands behind its metadata, which it may have a lot of, but not this much. The library walks a broken one
 * byte by byte, so what it walks is bounded.
 */
const headerBytes = 1024 * 1024;

/**
 * Looks at an image's own bytes; what the sender called it does not count.
 *
 * @throws ApiError 400 `InvalidImageSize` or `InvalidImage`.
 */
export function inspectImage(bytes: Uint8Array): ImageFacts {
  if (bytes.byteLength < imageLimits.minBytes || bytes.byteLength > imageLimits.maxBytes) throw invalidImageSize();
  const { type, width, height } = readHeader(bytes);
  const contentType = contentTypes.get(type);
  if (contentType === undefined || !isSensible(width) || !isSensible(height)) throw invalidImage();
  return { contentType, width, height, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function readHeader(bytes: Uint8Array) {
  // A copy, as the library reads on in the memory behind what it was given.
  const header = Uint8Array.from(bytes.subarray(0, headerBytes));
  try {
    return imageSize(header);
  } catch {
    throw invalidImage();
  }
}

function isSensible(pixels: number): boolean {
  return Number.isInteger(pixels) && pixels >= imageLimits.minPixels && pixels <= imageLimits.maxPixels;
}
