import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { preferredType } from "../../../src/http/accept.ts";
import { testProperty } from "../property.ts";

const offered = ["application/json", "application/x-ndjson", "text/csv"] as const;

describe("preferredType", () => {
  for (const [accept, expected] of [
    [null, "application/json"],
    ["", "application/json"],
    ["*/*", "application/json"],
    ["text/csv", "text/csv"],
    ["TEXT/CSV; header=present", "text/csv"],
    ["text/*", "text/csv"],
    ["application/*", "application/json"],
    ["application/x-ndjson", "application/x-ndjson"],
    ["text/csv, application/json", "application/json"],
    ["text/csv, application/json;q=0.9", "text/csv"],
    ["application/json;q=0.5,application/x-ndjson ; Q=0.7 , text/csv;q=0.6", "application/x-ndjson"],
    ["*/*, application/json;q=0.1", "application/x-ndjson"],
    ["*/*;q=0.5, text/csv", "text/csv"],
    ["application/*;q=0.2, application/json;q=0, text/*;q=0.1", "application/x-ndjson"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"],
    // None is accepted.
    ["image/png", "application/json"],
    ["text/csv;q=0", "application/json"],
    // Not valid.
    ["text/csv;q=2", "application/json"],
    ["text/csv;q=, application/x-ndjson;q=0.1", "application/x-ndjson"],
    [",;q=1,,/,csv", "application/json"],
  ] as const) {
    test(`${JSON.stringify(accept)} -> ${expected}`, () => {
      assert.equal(preferredType(accept, offered), expected);
    });
  }

  const qualities = fc.tuple(...offered.map(() => fc.option(fc.integer({ min: 0, max: 1000 }), { nil: undefined })));
  testProperty("any qualities -> the first with the highest one", [qualities, fc.boolean()], (given, reversed) => {
    const ranges = given.flatMap((quality, index) =>
      quality === undefined ? [] : `${offered[index]};q=${(quality / 1000).toFixed(3)}`,
    );
    const highest = Math.max(0, ...given.map((quality) => quality ?? 0));
    const expected = highest === 0 ? offered[0] : offered[given.indexOf(highest)];
    assert.equal(preferredType((reversed ? ranges.toReversed() : ranges).join(", "), offered), expected);
  });

  testProperty("any text -> one of the types", [fc.string()], (text) => {
    assert.ok(offered.includes(preferredType(text, offered)));
  });
});
