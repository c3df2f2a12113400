import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { services } from "../../../../src/liveness/model/caller.ts";
import { connectStorage, type Table } from "../../../../src/storage/azure/table.ts";
import { createCreations, createWriteCache } from "../../../../src/storage/stores/creations.ts";
import { createCalls } from "../../fakes/calls.ts";
import { createMemoryTable } from "../../fakes/memory-table.ts";

const changedOn = "2026-01-01T00:00:00.000Z";
const reservation = (creationId: string) => ({
  ...{ creationId, countedFor: services, deviceCorrelationId: "d", leaseUntil: changedOn, dueOn: changedOn },
});

describe("reserve", () => {
  test("guard changes before every write -> 503 ServerBusy with Retry-After after 50 attempts", async () => {
    const guard = { partitionKey: "d", rowKey: "g", recent: "[]", rejectionsInARow: 0 };
    const sessions = createMemoryTable("sessions");
    const calls = createCalls(({ name, when }) => {
      if (name === "sessions.transact" && when === "before") sessions.put(guard);
      return undefined;
    });
    const pauses: number[] = [];
    const connection = connectStorage({
      connectionString: "unused",
      retryPolicy: { random: () => 1, sleep: async (ms) => void pauses.push(ms) },
    });
    const { reserve } = createCreations({ ...connection, sessions: sessions.open(calls) }, createWriteCache());
    let admitted = 0;
    const outcome = reserve(reservation("c1"), (guard) => {
      admitted += 1;
      return { recent: [...(guard?.recent ?? []), String(admitted)], rejectionsInARow: 0, changedOn };
    });
    await assert.rejects(outcome, { name: "ApiError", status: 503, code: "ServerBusy", retryAfter: "1" });
    const writes = calls.names.filter((name) => name === "sessions.transact");
    assert.deepEqual([writes.length, admitted], [50, 50]);
    assert.ok(pauses.length > 0 && pauses.every((ms) => ms > 0 && ms <= 200));
  });

  test("write response without an ETag -> guard not cached, so a concurrent creation is not overwritten", async () => {
    const etagsSent: unknown[] = [];
    const sessions: Table = {
      ...createMemoryTable("sessions").open(createCalls()),
      transact: async (actions) => {
        etagsSent.push(...actions.map(([kind, , , options]) => (kind === "update" ? options?.etag : kind)));
        return { etags: actions.map(() => "*") };
      },
    };
    const connection = connectStorage({ connectionString: "unused" });
    const { reserve } = createCreations({ ...connection, sessions }, createWriteCache());
    for (const creationId of ["c1", "c2"]) {
      await reserve(reservation(creationId), () => ({ recent: [], rejectionsInARow: 0, changedOn }));
    }
    assert.deepEqual(etagsSent, ["create", "create", "create", "create"]);
  });
});

describe("createWriteCache", () => {
  test("more than 1,000 values -> the oldest are evicted", () => {
    const cache = createWriteCache<number>();
    for (let number = 0; number < 1002; number += 1) cache.set(`key-${number}`, number);
    assert.deepEqual([cache.get("key-0"), cache.get("key-1")], [undefined, undefined]);
    assert.equal(cache.get("key-2"), 2);
    cache.delete("key-2");
    assert.equal(cache.get("key-2"), undefined);
  });

  test("value written again -> evicted last", () => {
    const cache = createWriteCache<number>();
    for (let number = 0; number < 1000; number += 1) cache.set(`key-${number}`, number);
    cache.set("key-0", -1);
    cache.set("one more", 1);
    assert.deepEqual([cache.get("key-0"), cache.get("key-1")], [-1, undefined]);
  });
});
