import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createWriteCache } from "../../../../src/storage/stores/write-cache.ts";

describe("what was written last", () => {
  test("is remembered up to a number, the oldest going first", () => {
    const recent = createWriteCache<number>();
    for (let number = 0; number < 1002; number += 1) recent.remember(`key-${number}`, number);
    assert.deepEqual([recent.recall("key-0"), recent.recall("key-1")], [undefined, undefined]);
    assert.equal(recent.recall("key-2"), 2);
    recent.forget("key-2");
    assert.equal(recent.recall("key-2"), undefined);
  });

  test("is young again when it is written again", () => {
    const recent = createWriteCache<number>();
    for (let number = 0; number < 1000; number += 1) recent.remember(`key-${number}`, number);
    recent.remember("key-0", -1);
    recent.remember("one more", 1);
    assert.deepEqual([recent.recall("key-0"), recent.recall("key-1")], [-1, undefined]);
  });
});
