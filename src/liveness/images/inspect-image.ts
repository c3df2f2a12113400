import { createHash } from "node:crypto";
import { disableTypes, imageSize, types } from "image-size";
import { invalidImage, invalidImageSize } from "../../api-errors.ts";
import type { ImageFacts } from "../model/images.ts";

/** The service's limits: 1 KB to 6 MB, and at least 36 pixels, the size of the smallest face. */
export const imageLimits = {
  minBytes: 1024,
  maxBytes: 6 * 1024 * 1024,
  minPixels: 36,
  maxPixels: 4096,
} as const;

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

// Untrusted input does not reach the library's parsers of other formats.
disableTypes(types.filter((type) => !contentTypes.has(type)));

/** Most bytes that the library parses, because it scans a damaged JPEG byte by byte and metadata entry by entry. */
const headerBytes = 16 * 1024;

/** Most segments before a JPEG's frame, and its greatest offset in bytes. A colour profile alone may have 255 segments. */
const maxSegments = 1024;
const maxFrameStart = 1024 * 1024;

/**
 * Derives an image's facts from its bytes, without regard to the declared type.
 *
 * @throws ApiError `InvalidImageSize` or `InvalidImage`.
 */
export function inspectImage(bytes: Uint8Array): ImageFacts {
  if (bytes.byteLength < imageLimits.minBytes || bytes.byteLength > imageLimits.maxBytes) throw invalidImageSize();
  const { type, width, height } = readHeader(bytes);
  const contentType = contentTypes.get(type);
  if (contentType === undefined || !isSensible(width) || !isSensible(height)) throw invalidImage();
  return { contentType, width, height, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function readHeader(bytes: Uint8Array) {
  const frame = frameStart(bytes);
  const start = frame === undefined ? [] : [emptyJpeg];
  const header = Buffer.concat([...start, bytes.subarray(frame ?? 0, (frame ?? 0) + headerBytes)]);
  try {
    // A copy, since the library reads past the end of a view on a larger buffer.
    return imageSize(new Uint8Array(header));
  } catch {
    throw invalidImage();
  }
}

/** The start of a JPEG with an empty comment, which a frame may follow. */
const emptyJpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xfe, 0, 2);

/** Offset of a JPEG's frame, which has the size and follows all metadata. Undefined if there is none. */
function frameStart(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  let start = 2;
  for (let segments = 0; segments < maxSegments && start < maxFrameStart; segments += 1) {
    const [mark, marker = 0, high = 0, low = 0] = bytes.subarray(start, start + 4);
    if (mark !== 0xff) return undefined;
    if (marker >= 0xc0 && marker <= 0xc2) return start;
    // Fill bytes may precede a marker.
    start += marker === 0xff ? 1 : 2 + high * 256 + low;
  }
  return undefined;
}

function isSensible(pixels: number): boolean {
  return Number.isInteger(pixels) && pixels >= imageLimits.minPixels && pixels <= imageLimits.maxPixels;
}
