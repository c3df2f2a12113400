import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { ApiError } from "../../../../src/errors.ts";
import { imageLimits, inspectImage } from "../../../../src/liveness/images/inspect-image.ts";
import { imageTypes, makeImage, mediaTypeOf } from "../../../fixtures/images.ts";

const sizeRefused = { name: "ApiError", status: 400, code: "InvalidImageSize" };
const refused = { name: "ApiError", status: 400, code: "InvalidImage" };
const megabyte = 1024 * 1024;

/** A file with this beginning, filled up with zeros. */
function file(head: string | Buffer, sizeInBytes = 2048): Buffer {
  const bytes = Buffer.alloc(sizeInBytes);
  bytes.set(typeof head === "string" ? Buffer.from(head, "latin1") : head);
  return bytes;
}

describe("header of an image", () => {
  for (const type of imageTypes) {
    test(`${type} -> type, size and hash`, () => {
      const bytes = makeImage({ type, width: 640, height: 480 });
      assert.deepEqual(inspectImage(bytes), {
        contentType: mediaTypeOf(type),
        width: 640,
        height: 480,
        sha256: createHash("sha256").update(bytes).digest("hex"),
      });
    });

    test(`${type} of 36 to 4096 pixels a side -> accepted, other sizes refused`, () => {
      for (const width of [36, 4096]) {
        for (const height of [36, 4096]) {
          const facts = inspectImage(makeImage({ type, width, height }));
          assert.deepEqual([facts.width, facts.height], [width, height]);
        }
      }
      for (const wrong of [0, 1, 35, 4097, 65_535]) {
        assert.throws(() => inspectImage(makeImage({ type, width: wrong, height: 200 })), refused, `width ${wrong}`);
        assert.throws(() => inspectImage(makeImage({ type, width: 200, height: wrong })), refused, `height ${wrong}`);
      }
    });
  }

  test("dimensions of 31 bits -> refused", () => {
    for (const type of ["png", "bmp"] as const) {
      assert.throws(() => inspectImage(makeImage({ type, width: 0x7fffffff, height: 0x7fffffff })), refused);
      assert.throws(() => inspectImage(makeImage({ type, width: 200, height: 0x7fffffff })), refused);
    }
  });

  test("JPEG with EXIF metadata before the size -> size found", () => {
    const image = makeImage({ type: "jpeg", width: 640, height: 480 });
    const exif = Buffer.alloc(60_000);
    exif.set([0xff, 0xe1]);
    exif.writeUInt16BE(exif.length - 2, 2);
    exif.write("Exif\0\0", 4, "latin1");
    const facts = inspectImage(Buffer.concat([image.subarray(0, 20), exif, image.subarray(20)]));
    assert.deepEqual([facts.contentType, facts.width, facts.height], ["image/jpeg", 640, 480]);
  });

  test("JPEG with up to 1023 segments, in the first megabyte, or fill bytes before the size -> size found; more -> refused", () => {
    const image = makeImage({ type: "jpeg", width: 640, height: 480 });
    const behind = (...between: Buffer[]) =>
      inspectImage(Buffer.concat([image.subarray(0, 20), ...between, image.subarray(20)]));
    const segments = (number: number, sizeInBytes: number) => {
      const segment = Buffer.alloc(sizeInBytes, "x");
      segment.set([0xff, 0xe2]);
      segment.writeUInt16BE(sizeInBytes - 2, 2);
      return Array<Buffer>(number).fill(segment);
    };
    for (const between of [segments(255, 4000), segments(15, 65_537), segments(1022, 40), [Buffer.alloc(9, 0xff)]]) {
      const { width, height } = behind(...between);
      assert.deepEqual([width, height], [640, 480]);
    }
    for (const between of [segments(1023, 40), segments(17, 65_537), segments(10_000, 4)]) {
      assert.throws(() => behind(...between), refused);
    }
  });
});

describe("bytes of an image", () => {
  test("1 KB to 6 MB -> accepted, other lengths refused", () => {
    assert.deepEqual([imageLimits.minBytes, imageLimits.maxBytes], [1024, 6 * megabyte]);
    for (const sizeInBytes of [1024, 6 * megabyte]) {
      assert.equal(inspectImage(makeImage({ sizeInBytes })).contentType, "image/jpeg");
    }
    for (const sizeInBytes of [1023, 6 * megabyte + 1]) {
      assert.throws(() => inspectImage(makeImage({ sizeInBytes })), sizeRefused, `${sizeInBytes}`);
    }
    assert.throws(() => inspectImage(new Uint8Array()), sizeRefused);
  });

  for (const [what, bytes] of [
    ["SVG", file('<svg xmlns="http://www.w3.org/2000/svg" width="200" height="200">')],
    ["SVG after a declaration", file('<?xml version="1.0"?>\n<svg width="200" height="200" viewBox="0 0 200 200">')],
    ["WebP", file("RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00\x30\x01\x00\x9d\x01\x2a\xc8\x00\xc8\x00")],
    ["TIFF", file("II*\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\xc8\0\0\0\x01\x01\x03\0\x01\0\0\0\xc8\0\0\0")],
    ["PDF", file("%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj")],
    ["an icon", file(Buffer.from([0, 0, 1, 0, 1, 0, 64, 64, 0, 0, 1, 0, 32, 0]))],
    ["HEIC", file("\0\0\0\x18ftypheic\0\0\0\0mif1heic")],
    ["text", file("A picture is worth a thousand words.")],
    ["zeros", Buffer.alloc(2048)],
    ["a JPEG's first bytes alone", file(Buffer.from([0xff, 0xd8, 0xff, 0xe0]))],
    ["a PNG's signature without its header", file("\x89PNG\r\n\x1a\n\0\0\0\x0dIDAT")],
  ] as const) {
    test(`${what} -> refused`, () => {
      assert.throws(() => inspectImage(bytes), refused);
    });
  }

  test("truncated view of a larger buffer -> bytes behind the view are not read", () => {
    const image = makeImage({ type: "jpeg" });
    const sizeAt = image.indexOf(Buffer.from([0xff, 0xc0])) + 5;
    // The comment is long enough that the size of the image begins at the end of the file.
    const comment = Buffer.alloc(1024 - sizeAt);
    comment.set([0xff, 0xfe]);
    comment.writeUInt16BE(comment.length - 2, 2);
    const whole = Buffer.concat([image.subarray(0, 20), comment, image.subarray(20)]);
    const truncated = whole.subarray(0, 1024);
    assert.equal(inspectImage(whole).width, 200);
    assert.throws(() => inspectImage(truncated), refused);
  });

  test("6 MB of bytes that could each begin a segment -> refused in bounded time", () => {
    // Every byte could begin a segment, which is the slowest case for the parser.
    const broken = Buffer.alloc(6 * megabyte);
    broken.set([0xff, 0xd8, 0xff, 0xe0]);
    assert.throws(() => inspectImage(broken), refused);
    assert.throws(() => inspectImage(Buffer.alloc(6 * megabyte, "<svg ")), refused);
  });

  test("refused -> the message of the Face API", () => {
    const message = "Decoding error, image format unsupported.";
    assert.throws(() => inspectImage(file("no image")), { ...refused, message });
    assert.throws(() => inspectImage(new Uint8Array(1)), { message: "The valid image file size is from 1KB to 6MB." });
  });
});

const { minPixels, maxPixels } = imageLimits;

/** Asserts that the image has valid facts or is refused with 400. */
function assertInspected(bytes: Uint8Array): void {
  try {
    const { width, height, contentType } = inspectImage(bytes);
    assert.match(contentType, /^image\/(jpeg|png|gif|bmp)$/);
    for (const side of [width, height]) assert.ok(Number.isInteger(side) && side >= minPixels && side <= maxPixels);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(error instanceof ApiError && error.status === 400, String(error));
  }
}

/** The first bytes of every format that the header reader detects, so that the random bytes behind them are parsed. */
const beginnings = [
  ...["\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF89a", "BM", "II*\0", "MM\0*", "RIFF\0\0\0\0WEBP", "<svg ", "8BPS"],
  ...["\0\0\0\x0cJXL ", "\0\0\0\x0cjP  ", "\0\0\0\x18ftypheic", "icns", "\xff\x0a", "\xffO\xffQ", "P6\n", "DDS "],
  "\xabKTX 11",
].map((text) => Buffer.from(text, "latin1"));

test("inspectImage of random bytes behind a known signature -> facts or 400", () => {
  const noise = fc.uint8Array({ minLength: 0, maxLength: 64 });
  fc.assert(
    fc.property(fc.constantFrom(...beginnings, Buffer.alloc(0)), noise, fc.nat(255), (beginning, middle, filling) => {
      assertInspected(Buffer.concat([beginning, middle, Buffer.alloc(1100, filling)]));
    }),
    { numRuns: 2000 },
  );
});

test("inspectImage of a damaged image -> facts or 400", () => {
  const length = fc.integer({ min: 1024, max: 2048 });
  const damage = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...imageTypes), damage, length, (type, changes, end) => {
      const bytes = makeImage({ type });
      for (const [at, value] of changes) bytes[at] = value;
      assertInspected(bytes.subarray(0, end));
    }),
    { numRuns: 2000 },
  );
});

test("inspectImage of bytes at any offset of a buffer -> the size of the image", () => {
  const side = fc.integer({ min: minPixels, max: maxPixels });
  fc.assert(
    fc.property(fc.constantFrom(...imageTypes), side, side, fc.nat(64), (type, width, height, offset) => {
      const bytes = Buffer.concat([Buffer.alloc(offset, 0xff), makeImage({ type, width, height })]).subarray(offset);
      const facts = inspectImage(bytes);
      assert.deepEqual([facts.width, facts.height], [width, height]);
    }),
  );
});
