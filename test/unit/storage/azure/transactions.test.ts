import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TransactionAction } from "@azure/data-tables";
import fc from "fast-check";
import type { Table } from "../../../../src/storage/azure/table.ts";
import { inTransactions, removeRows } from "../../../../src/storage/azure/transactions.ts";
import { testPropertyTimes } from "../../property.ts";

const upsert = (n: number, text = ""): TransactionAction => [
  "upsert",
  { partitionKey: "p", rowKey: String(n), text },
  "Replace",
];

describe("inTransactions", () => {
  const maxima = fc.integer({ min: 1, max: 100 });
  testPropertyTimes(30, "any actions -> all in order, in the fewest lists", [fc.nat(350), maxima], (count, max) => {
    const actions = Array.from({ length: count }, (_, n) => upsert(n));
    const chunks = inTransactions(actions, max);
    assert.deepEqual(chunks.flat(), actions);
    assert.equal(chunks.length, Math.ceil(count / max));
    assert.ok(chunks.every((chunk) => chunk.length > 0 && chunk.length <= max));
  });

  test("large actions -> payload of each list below the limit", () => {
    const chunks = inTransactions(Array.from({ length: 10 }, (_, n) => upsert(n, "x".repeat(500_000))));
    const lengths = chunks.map((chunk) => chunk.length);
    assert.deepEqual(lengths, [4, 4, 2]);
  });
});

describe("removeRows", () => {
  /** A partition in memory where every request takes a turn of the event loop, and counts of its requests. */
  function arrange(rows: Iterable<string>, options: { beforeTransaction?: () => unknown } = {}) {
    const kept = new Set(rows);
    const seen = { requests: 0, parallel: 0, most: 0, singles: 0 };
    const request = async <T>(work: () => T): Promise<T> => {
      seen.requests += 1;
      seen.parallel += 1;
      seen.most = Math.max(seen.most, seen.parallel);
      await new Promise(setImmediate);
      const result = work();
      seen.parallel -= 1;
      return result;
    };
    const unused = () => assert.fail("unexpected call");
    const table: Table = {
      name: "sessions",
      ...{ get: unused, put: unused, merge: unused },
      remove: (_partition, rowKey) => {
        seen.singles += 1;
        return request(() => (kept.delete(rowKey) ? "removed" : "missing"));
      },
      transact: (actions) =>
        request(() => {
          options.beforeTransaction?.();
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

  test("300 rows -> three requests", async () => {
    const { table, kept, seen } = arrange([...keys, "another"]);
    assert.deepEqual(await removeRows(table, "p", keys), []);
    assert.deepEqual([...kept], ["another"]);
    assert.equal(seen.requests, 3);
  });

  test("some rows removed already -> three requests for each hundred, returns the missing keys", async () => {
    const gone = keys.filter((_, n) => n % 7 === 0);
    const { table, kept, seen } = arrange([...keys.filter((key) => !gone.includes(key)), "another"]);
    assert.deepEqual(await removeRows(table, "p", keys), gone);
    assert.deepEqual([...kept], ["another"]);
    assert.deepEqual([seen.requests, seen.singles], [9, 0]);
  });

  test("rows removed concurrently all the time -> at most 8 parallel requests, removes all", async () => {
    const { table, kept, seen } = arrange(keys, {
      beforeTransaction: () => kept.delete([...kept][1] ?? ""),
    });
    await removeRows(table, "p", keys);
    assert.deepEqual([...kept], []);
    assert.ok(seen.singles > 0);
    assert.ok(seen.most <= 8, `${seen.most} parallel requests`);
  });
});
