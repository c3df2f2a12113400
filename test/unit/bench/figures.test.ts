import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Figure, formatTable, isMet, median, quantile, spread } from "../../bench/figures.ts";

const figure: Figure = { figure: "a time", unit: "ms", bound: "at most", target: 245, measured: 245 };

test("isMet includes the target, for lower and upper bounds", () => {
  assert.equal(isMet(figure), true);
  assert.equal(isMet({ ...figure, measured: 245.1 }), false);
  assert.equal(isMet({ ...figure, bound: "at least" }), true);
  assert.equal(isMet({ ...figure, bound: "at least", measured: 244.9 }), false);
});

describe("quantile", () => {
  test("sorts the values and interpolates", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.equal(quantile([10, 20, 30, 40, 50], 0.25), 20);
    assert.equal(quantile([7], 0.9), 7);
    assert.equal(spread([1, 2, 3, 4, 5]), "2.0–4.0");
  });

  test("throws for an empty list", () => {
    assert.throws(() => median([]), RangeError);
  });
});

test("formatTable has a line for each figure, with columns of one width", () => {
  const lines = formatTable([
    { ...figure, measured: 243.26, note: "median of 40" },
    { figure: "a share", unit: "%", bound: "at least", target: 80, measured: 61.5 },
    { figure: "a ratio of some kind", unit: "x", bound: "at most", target: 1.5, measured: 1.0941 },
  ]).split("\n");
  assert.deepEqual(lines, [
    "| figure               | target   | measured | met | note         |",
    "| -------------------- | -------- | -------- | --- | ------------ |",
    "| a time               | ≤ 245 ms | 243.3 ms | yes | median of 40 |",
    "| a share              | ≥ 80%    | 61.5%    | no  |              |",
    "| a ratio of some kind | ≤ 1.50 x | 1.09 x   | yes |              |",
  ]);
});
