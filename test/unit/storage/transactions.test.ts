import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TransactionAction } from "@azure/data-tables";
import fc from "fast-check";
import { odata } from "../../../src/storage/odata.ts";
import { inTransactions } from "../../../src/storage/transactions.ts";

const upsert = (n: number, text = ""): TransactionAction => [
  "upsert",
  { partitionKey: "p", rowKey: String(n), text },
  "Replace",
];

describe("inTransactions", () => {
  it("keeps every action, in order, in lists of at most so many", () => {
    fc.assert(
      fc.property(fc.nat({ max: 350 }), fc.integer({ min: 1, max: 100 }), (count, max) => {
        const actions = Array.from({ length: count }, (_, n) => upsert(n));
        const chunks = inTransactions(actions, max);
        assert.deepEqual(chunks.flat(), actions);
        assert.equal(chunks.length, Math.ceil(count / max));
        assert.ok(chunks.every((chunk) => chunk.length > 0 && chunk.length <= max));
      }),
      { numRuns: 30 },
    );
  });

  it("keeps a list's payload below the limit", () => {
    const chunks = inTransactions(Array.from({ length: 10 }, (_, n) => upsert(n, "x".repeat(500_000))));
    assert.deepEqual(
      chunks.map((chunk) => chunk.length),
      [4, 4, 2],
    );
  });
});

describe("odata", () => {
  it("quotes every value", () => {
    assert.equal(odata`PartitionKey eq ${"O'Hara' or '1' eq '1"}`, "PartitionKey eq 'O''Hara'' or ''1'' eq ''1'");
    assert.equal(odata`a eq ${"\\"} and b lt ${""}`, "a eq '\\' and b lt ''");
  });
});
