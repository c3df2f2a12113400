import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ApiError } from "../../../../src/errors.ts";
import { imageLimits, inspectImage } from "../../../../src/liveness/images/inspect-image.ts";
import { imageTypes, makeImage } from "../../../fixtures/images.ts";

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
