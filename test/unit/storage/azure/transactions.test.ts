import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TransactionAction } from "@azure/data-tables";
import fc from "fast-check";
import type { Table } from "../../../../src/storage/azure/table.ts";
import { inTransactions, removeRows } from "../../../../src/storage/azure/transactions.ts";

const upsert = (n: number, text = ""): TransactionAction => [
  "upsert",
  { partitionKey: "p", rowKey: String(n), text },
  "Replace",
];

describe("inTransactions", () => {
  test("keeps every action, in order, in lists of at most so many", () => {
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

  test("keeps a list's payload below the limit", () => {
    const chunks = inTransactions(Array.from({ length: 10 }, (_, n) => upsert(n, "x".repeat(500_000))));
    assert.deepEqual(
      chunks.map((chunk) => chunk.length),
      [4, 4, 2],
    );
  });
});

describe("removeRows", () => {
  /** A partition whose deletions take a turn each, and how many requests it saw at once. */
  function arrange(rows: Iterable<string>, options: { meddle?: () => unknown } = {}) {
    const kept = new Set(rows);
    const seen = { requests: 0, atOnce: 0, most: 0, singles: 0 };
    const request = async <T>(work: () => T): Promise<T> => {
      seen.requests += 1;
      seen.atOnce += 1;
      seen.most = Math.max(seen.most, seen.atOnce);
      await new Promise(setImmediate);
      const result = work();
      seen.atOnce -= 1;
      return result;
    };
    const unused = () => assert.fail("not for this test");
    const table: Table = {
      name: "sessions",
      ...{ get: unused, put: unused, merge: unused },
      remove: (_partition, rowKey) => {
        seen.singles += 1;
        return request(() => (kept.delete(rowKey) ? "removed" : "missing"));
      },
      transact: (actions) =>
        request(() => {
          options.meddle?.();
          const keys = actions.map(([, { rowKey }]) => rowKey ?? "");
          if (!keys.every((key) => kept.has(key))) return { conflict: { reason: "missing", repeated: false } };
          for (const key of keys) kept.delete(key);
          return { etags: keys.map(() => "") };
        }),
      async *query() {
        for (const rowKey of await request(() => [...kept].sort())) yield { partitionKey: "p", rowKey, etag: "1" };
      },
    };
    return { table, kept, seen };
  }
  const keys = Array.from({ length: 300 }, (_, n) => `r-${String(n).padStart(3, "0")}`);

  test("takes one request for a hundred rows", async () => {
    const { table, kept, seen } = arrange([...keys, "another"]);
    assert.deepEqual(await removeRows(table, "p", keys), []);
    assert.deepEqual([...kept], ["another"]);
    assert.equal(seen.requests, 3);
  });

  test("takes three where somebody else has removed some of them, and tells which", async () => {
    const gone = keys.filter((_, n) => n % 7 === 0);
    const { table, kept, seen } = arrange([...keys.filter((key) => !gone.includes(key)), "another"]);
    assert.deepEqual(await removeRows(table, "p", keys), gone);
    assert.deepEqual([...kept], ["another"]);
    assert.deepEqual([seen.requests, seen.singles], [9, 0]);
  });

  test("asks for no more than a few at once where somebody else is at it all the time, the last one last", async () => {
    const { table, kept, seen } = arrange(keys, {
      meddle: () => kept.delete([...kept][1] ?? ""),
    });
    await removeRows(table, "p", keys);
    assert.deepEqual([...kept], []);
    assert.ok(seen.singles > 0);
    assert.ok(seen.most <= 8, `${seen.most} at once`);
  });
});
