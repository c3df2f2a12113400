import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ApiError } from "../../../../src/errors.ts";
import { imageLimits, inspectImage } from "../../../../src/liveness/images/inspect-image.ts";
import { imageTypes, makeImage } from "../../../fixtures/images.ts";

const { minPixels, maxPixels } = imageLimits;

/** Either sensible facts, or an error that is the caller's. */
function assertJudged(bytes: Uint8Array): void {
  try {
    const { width, height, contentType } = inspectImage(bytes);
    assert.match(contentType, /^image\/(jpeg|png|gif|bmp)$/);
    for (const side of [width, height]) assert.ok(Number.isInteger(side) && side >= minPixels && side <= maxPixels);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(error instanceof ApiError && error.status === 400, String(error));
  }
}

/** The first bytes of every format that the header reader knows, so that random bytes get past its first look. */
const beginnings = [
  ...["\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF89a", "BM", "II*\0", "MM\0*", "RIFF\0\0\0\0WEBP", "<svg ", "8BPS"],
  ...[
    "\0\0\0\x0cJXL ",
    "\0\0\0\x0cjP  ",
    "\0\0\0\x18ftypheic",
    "icns",
    "\xff\x0a",
    "\xffO\xffQ",
    "P6\n",
    "DDS ",
    "\xabKTX 11",
  ],
].map((text) => Buffer.from(text, "latin1"));

test("judges whatever bytes it gets", () => {
  const noise = fc.uint8Array({ minLength: 0, maxLength: 64 });
  fc.assert(
    fc.property(fc.constantFrom(...beginnings, Buffer.alloc(0)), noise, fc.nat(255), (beginning, middle, filling) => {
      assertJudged(Buffer.concat([beginning, middle, Buffer.alloc(1100, filling)]));
    }),
    { numRuns: 2000 },
  );
});

test("judges images that were damaged on the way", () => {
  const damage = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(
      fc.constantFrom(...imageTypes),
      damage,
      fc.integer({ min: 1024, max: 2048 }),
      (type, changes, length) => {
        const bytes = makeImage({ type });
        for (const [at, value] of changes) bytes[at] = value;
        assertJudged(bytes.subarray(0, length));
      },
    ),
    { numRuns: 2000 },
  );
});

test("sees the size that was written, wherever the bytes lie", () => {
  const side = fc.integer({ min: minPixels, max: maxPixels });
  fc.assert(
    fc.property(fc.constantFrom(...imageTypes), side, side, fc.nat(64), (type, width, height, offset) => {
      const bytes = Buffer.concat([Buffer.alloc(offset, 0xff), makeImage({ type, width, height })]).subarray(offset);
      const facts = inspectImage(bytes);
      assert.deepEqual([facts.width, facts.height], [width, height]);
    }),
  );
});
