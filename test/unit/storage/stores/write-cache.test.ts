import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createWriteCache } from "../../../../src/storage/stores/write-cache.ts";

describe("createWriteCache", () => {
  test("more than 1,000 values -> the oldest are evicted", () => {
    const cache = createWriteCache<number>();
    for (let number = 0; number < 1002; number += 1) cache.remember(`key-${number}`, number);
    assert.deepEqual([cache.recall("key-0"), cache.recall("key-1")], [undefined, undefined]);
    assert.equal(cache.recall("key-2"), 2);
    cache.forget("key-2");
    assert.equal(cache.recall("key-2"), undefined);
  });

  test("value written again -> evicted last", () => {
    const cache = createWriteCache<number>();
    for (let number = 0; number < 1000; number += 1) cache.remember(`key-${number}`, number);
    cache.remember("key-0", -1);
    cache.remember("one more", 1);
    assert.deepEqual([cache.recall("key-0"), cache.recall("key-1")], [-1, undefined]);
  });
});
