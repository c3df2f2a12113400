import { createHash } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";
import { invalidImage, invalidImageSize } from "../../../src/api-errors.ts";

const minImageBytes = 1024;
const maxImageBytes = 6 * 1024 * 1024;

/** First bytes of the formats of the service. */
const signatures = [
  [0xff, 0xd8, 0xff], // JPEG
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], // PNG
  [0x47, 0x49, 0x46, 0x38], // GIF
  [0x42, 0x4d], // BMP
];

/** Throws the service's error for a verify image of the wrong size or format. There is no face detection. */
export function checkVerifyImage(bytes: Uint8Array): void {
  if (bytes.length < minImageBytes || bytes.length > maxImageBytes) {
    throw invalidImageSize();
  }
  if (!signatures.some((signature) => signature.every((byte, index) => bytes[index] === byte))) {
    throw invalidImage();
  }
}

/** SHA-256 in capital hex digits, as the service writes its hashes and digests. */
export function hashImage(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").toUpperCase();
}

/** The session image of every attempt: a grey square of 64 × 64 pixels, as PNG. */
export const sessionImage = encodeGreyPng(64);

function encodeGreyPng(side: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header[8] = 8; // bits a sample; all other fields 0: grey, no interlace
  const row = Buffer.concat([Buffer.of(0), Buffer.alloc(side, 0x80)]); // filter type, then the pixels
  const rows = Buffer.concat(Array.from({ length: side }, () => row));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    encodeChunk("IHDR", header),
    encodeChunk("IDAT", deflateSync(rows)),
    encodeChunk("IEND", Buffer.alloc(0)),
  ]);
}

function encodeChunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, checksum]);
}
