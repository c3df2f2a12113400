import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { OutcomeEntry } from "../../../../src/liveness/model/events.ts";
import { failOn } from "../../fakes/calls.ts";
import { lastMonth, openIndexes, outcome, outcomes, scanned } from "../../fakes/outcomes.ts";
import { createWorld, startOfTime } from "../../fakes/world.ts";
import { testPropertyTimes } from "../../property.ts";

const all = (index: ReturnType<typeof openIndexes>["index"]) => scanned(index.scan(lastMonth()));
const dayMs = 86_400_000;

describe("put", () => {
  test("entries with all fields -> read unchanged", async () => {
    const { index } = openIndexes();
    const entry = outcome(0, {
      ...{ kind: "livenessWithVerify", apiVersion: "v1.3-preview.1", userCorrelationId: "a/user", revision: 3 },
      ...{ clientReferenceId: "=1+1", decision: "rejected", reasons: ["SpoofDetected", "AbuseDetected"], final: false },
    });
    await index.put([entry]);
    assert.deepEqual(await all(index), [entry]);
  });

  test("320 new entries of one day -> a transaction for each 100 rows of a shard", async () => {
    const { index, requests } = openIndexes();
    const entries = outcomes(320);
    await index.put(entries);
    assert.ok(requests.length >= 4 && requests.length <= 8, String(requests.length));
    assert.deepEqual(new Set(requests), new Set(["outcomes.transact"]));
    assert.deepEqual(await all(index), entries);
  });

  test("some of the entries exist -> the others are inserted, with one transaction more for each shard", async () => {
    const { index, requests } = openIndexes();
    const entries = outcomes(40);
    await index.put(entries.filter((_, number) => number % 3 === 0));
    const before = requests.length;
    await index.put(entries);
    const transactions = requests.slice(before).filter((name) => name === "outcomes.transact");
    assert.ok(transactions.length <= 8, String(transactions));
    assert.deepEqual(await all(index), entries);
  });

  test("repeated, as after a lost response -> read, and nothing is written", async () => {
    const { index, world } = openIndexes();
    await index.put(outcomes(10));
    const before = world.everything();
    await index.put(outcomes(10));
    await index.put(outcomes(10, () => ({ revision: 1, decision: "rejected" })));
    assert.deepEqual(world.everything(), before);
  });

  const revisions = fc.array(fc.record({ number: fc.nat({ max: 3 }), revision: fc.integer({ min: 1, max: 5 }) }), {
    maxLength: 12,
  });
  const anyCalls = fc.array(revisions, { maxLength: 4 });
  testPropertyTimes(60, "any order of revisions, in any calls -> the newest stays", [anyCalls], async (calls) => {
    const { index } = openIndexes();
    const newest = new Map<number, number>();
    for (const call of calls) {
      await index.put(call.map(({ number, revision }) => outcome(number, { revision })));
      for (const { number, revision } of call) newest.set(number, Math.max(revision, newest.get(number) ?? 0));
    }
    const found = await all(index);
    const expected = [...newest].sort(([a], [b]) => a - b).map(([number, revision]) => outcome(number, { revision }));
    assert.deepEqual(found, expected);
  });

  test("concurrent processes with different revisions -> the newest of each entry stays", async () => {
    const world = createWorld();
    const lists = [1, 3, 2, 4].map((revision) =>
      outcomes(30, (number) => ({ revision: 1 + ((revision + number) % 4), reasons: [`R${revision}`] })),
    );
    await Promise.all(lists.map((list) => openIndexes(world).index.put(list)));
    const { index } = openIndexes(world);
    const revisions = (await all(index)).map(({ revision }) => revision);
    assert.deepEqual(revisions, Array(30).fill(4));
  });

  test("a row is written before each transaction -> 503 ServerBusy after a bounded number of attempts", async () => {
    const world = createWorld();
    const contested = outcome(0, { revision: 9 });
    await openIndexes(world).index.put([{ ...contested, revision: 1 }]);
    const { index } = openIndexes(world, ({ name, when }) => {
      const [row] = world.storage.outcomes.all();
      if (name === "outcomes.transact" && when === "before" && row) world.storage.outcomes.put(row);
      return undefined;
    });
    await assert.rejects(index.put([contested]), { status: 503, code: "ServerBusy" });
  });

  test("a transaction fails -> the call fails, and a repeat completes it", async () => {
    const world = createWorld();
    const { index } = openIndexes(world, failOn("outcomes.transact", "before", 2));
    await assert.rejects(index.put(outcomes(40)), { name: "InjectedError" });
    await index.put(outcomes(40));
    assert.deepEqual(await all(index), outcomes(40));
  });
});

test("remove: entries, missing ones among them -> only the others stay", async () => {
  const { index } = openIndexes();
  await index.put(outcomes(20));
  await index.remove([...outcomes(25).slice(5), outcome(7)]);
  assert.deepEqual(await all(index), outcomes(5));
  await index.remove([]);
  await index.remove(outcomes(25));
  assert.deepEqual(await all(index), []);
});

test("the time to which the index is complete: unknown, then the last one that was set, which no removal concerns", async () => {
  const { index, world } = openIndexes();
  assert.equal(await index.completeTo(), undefined);
  await index.setCompleteTo("2026-01-01T00:00:00.000Z");
  await index.setCompleteTo("2026-01-02T00:00:00.000Z");
  await index.removeBefore("2200-01-01T00:00:00.000Z", Number.POSITIVE_INFINITY);
  assert.equal(await openIndexes(world).index.completeTo(), "2026-01-02T00:00:00.000Z");
  assert.deepEqual(await all(index), []);
});

describe("removeBefore", () => {
  const ages = [0, 1, 2, 3, 40];
  const entryOf = (age: number) => outcome(age, { createdOn: new Date(startOfTime - age * dayMs).toISOString() });
  const eventOf = (age: number) => {
    const { creationId, createdOn, place } = entryOf(age);
    return { id: creationId, occurredOn: createdOn, place };
  };
  const daysOf = ({ storage }: ReturnType<typeof createWorld>) =>
    storage.outcomes.all().map(({ partitionKey }) => partitionKey.replace(/_\d$/, ""));

  test("days that have ended by then -> removed with their events, and counted", async () => {
    const { index, events, world } = openIndexes();
    await index.put(ages.map(entryOf));
    await events.put(ages.map(eventOf));
    const removed = await index.removeBefore(new Date(startOfTime - dayMs).toISOString(), Number.POSITIVE_INFINITY);
    assert.equal(removed, 6);
    assert.deepEqual(daysOf(world), ["20260228", "20260301", "events_20260228", "events_20260301"]);
  });

  test("thousands of rows -> removed by transactions of 100", async () => {
    const { index, requests, world } = openIndexes();
    await index.put(outcomes(1300, (number) => ({ createdOn: new Date(startOfTime - number * 1000).toISOString() })));
    const before = requests.length;
    assert.equal(await index.removeBefore("2026-03-02T00:00:00.000Z", Number.POSITIVE_INFINITY), 1300);
    assert.deepEqual(daysOf(world), []);
    assert.ok(requests.length - before < 40, String(requests.length - before));
  });

  test("the deadline has passed -> nothing is removed", async () => {
    const { index, world } = openIndexes();
    await index.put(outcomes(10));
    assert.equal(await index.removeBefore("2200-01-01T00:00:00.000Z", world.now()), 0);
    assert.deepEqual(await all(index), outcomes(10));
  });
});

test("unreadable row -> an error that names it", async () => {
  const { index, world } = openIndexes();
  await index.put([outcome(0)]);
  const [row] = world.storage.outcomes.all();
  const damaged: Partial<OutcomeEntry> = { decision: "maybe" as "accepted" };
  world.storage.outcomes.put({ ...row, ...damaged, partitionKey: row?.partitionKey ?? "", rowKey: row?.rowKey ?? "" });
  await assert.rejects(all(index), /decision/);
});
