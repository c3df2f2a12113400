import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TransactionAction } from "@azure/data-tables";
import fc from "fast-check";
import { inTransactions, removeRows } from "../../../../src/storage/azure/transactions.ts";
import { createCalls } from "../../fakes/calls.ts";
import { createMemoryTable, type MemoryTable } from "../../fakes/memory-table.ts";
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
  const keys = Array.from({ length: 300 }, (_, n) => `r-${String(n).padStart(3, "0")}`);

  /** A partition in memory where every request takes a turn of the event loop, its row keys, and its requests. */
  function arrange(rows: readonly string[], beforeTransaction?: (memory: MemoryTable) => void) {
    const memory = createMemoryTable("sessions");
    for (const rowKey of rows) memory.put({ partitionKey: "p", rowKey });
    const seen = { parallel: 0, most: 0 };
    const calls = createCalls(async ({ name, when }) => {
      seen.parallel += when === "before" ? 1 : -1;
      seen.most = Math.max(seen.most, seen.parallel);
      if (when === "before") await new Promise(setImmediate);
      if (when === "before" && name === "sessions.transact") beforeTransaction?.(memory);
      return undefined;
    });
    const kept = () => memory.all().map(({ rowKey }) => rowKey);
    return { table: memory.open(calls), kept, requests: calls.names, seen };
  }

  test("300 rows -> three requests", async () => {
    const { table, kept, requests } = arrange([...keys, "another"]);
    assert.deepEqual(await removeRows(table, "p", keys), []);
    assert.deepEqual([kept(), requests.length], [["another"], 3]);
  });

  test("some rows removed already -> three requests for each hundred, returns the missing keys", async () => {
    const gone = keys.filter((_, n) => n % 7 === 0);
    const { table, kept, requests } = arrange([...keys.filter((key) => !gone.includes(key)), "another"]);
    assert.deepEqual(await removeRows(table, "p", keys), gone);
    assert.deepEqual([kept(), requests.length], [["another"], 9]);
    assert.ok(!requests.includes("sessions.remove"));
  });

  test("rows removed concurrently all the time -> at most 8 parallel requests, removes all", async () => {
    const removeSecond = (memory: MemoryTable) => void memory.remove("p", memory.all()[1]?.rowKey ?? "");
    const { table, kept, requests, seen } = arrange(keys, removeSecond);
    await removeRows(table, "p", keys);
    assert.deepEqual(kept(), []);
    assert.ok(requests.includes("sessions.remove"));
    assert.ok(seen.most <= 8, `${seen.most} parallel requests`);
  });
});
