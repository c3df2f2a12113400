import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { services } from "../../../../src/liveness/model/caller.ts";
import { connectStorage, type Table } from "../../../../src/storage/azure/table.ts";
import { createCreations, createWriteCache } from "../../../../src/storage/stores/creations.ts";

const changedOn = "2026-01-01T00:00:00.000Z";
const reservation = (creationId: string) => ({
  ...{ creationId, countedFor: services, deviceCorrelationId: "d", leaseUntil: changedOn, dueOn: changedOn },
});

/** A device whose guard is changed concurrently before every write. */
function contestedTable(counts: { writes: number }): Table {
  const unused = () => assert.fail("unexpected call");
  return {
    name: "sessions",
    get: async (partitionKey, rowKey) =>
      rowKey === "g"
        ? { partitionKey, rowKey, etag: `W/"${counts.writes}"`, recent: "[]", rejectionsInARow: 0 }
        : undefined,
    transact: async () => {
      counts.writes++;
      return { conflict: { reason: "changed", repeated: false } };
    },
    put: unused,
    merge: unused,
    remove: unused,
    query: unused,
  };
}

describe("reserve", () => {
  test("guard changes before every write -> 503 ServerBusy with Retry-After after 50 attempts", async () => {
    const counts = { writes: 0 };
    const pauses: number[] = [];
    const connection = connectStorage({
      connectionString: "unused",
      retryPolicy: { random: () => 1, sleep: async (ms) => void pauses.push(ms) },
    });
    const { reserve } = createCreations({ ...connection, sessions: contestedTable(counts) }, createWriteCache());
    let admitted = 0;
    const outcome = reserve(reservation("c1"), (guard) => {
      admitted += 1;
      return { recent: [...(guard?.recent ?? []), String(admitted)], rejectionsInARow: 0, changedOn };
    });
    await assert.rejects(outcome, { name: "ApiError", status: 503, code: "ServerBusy", retryAfter: "1" });
    assert.deepEqual([counts.writes, admitted], [50, 50]);
    assert.ok(pauses.length > 0 && pauses.every((ms) => ms > 0 && ms <= 200));
  });

  test("write response without an ETag -> guard not cached, so a concurrent creation is not overwritten", async () => {
    const etagsSent: unknown[] = [];
    const table: Table = {
      ...contestedTable({ writes: 0 }),
      transact: async (actions) => {
        etagsSent.push(...actions.map(([kind, , , options]) => (kind === "update" ? options?.etag : kind)));
        return { etags: actions.map(() => "*") };
      },
    };
    const connection = connectStorage({ connectionString: "unused" });
    const { reserve } = createCreations({ ...connection, sessions: table }, createWriteCache());
    for (const creationId of ["c1", "c2"]) {
      await reserve(reservation(creationId), () => ({ recent: [], rejectionsInARow: 0, changedOn }));
    }
    assert.deepEqual(etagsSent, ["create", "create", "create", "create"]);
  });
});

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
