import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { OutcomeEntry } from "../../../../src/liveness/model/events.ts";
import type { OutcomeQuery } from "../../../../src/liveness/model/outcome-index.ts";
import type { Query } from "../../../../src/storage/azure/query.ts";
import { readPage } from "../../../../src/storage/stores/outcome-lists.ts";
import { InjectedError } from "../../fakes/calls.ts";
import { lastMonth, openIndexes, outcome, outcomes, scanned } from "../../fakes/outcomes.ts";
import { startOfTime } from "../../fakes/world.ts";
import { anyRecord, testProperty, testPropertyTimes } from "../../property.ts";
import { pagesOf } from "./pages.ts";

const dayMs = 86_400_000;
const refused = { status: 400, code: "BadArgument" };

/** A world with these outcomes, read by a process of its own. */
async function withOutcomes(entries: readonly OutcomeEntry[]) {
  const { index, world } = openIndexes();
  await index.put(entries);
  return openIndexes(world);
}

const some = <T>(...values: T[]) => fc.constantFrom(...values);
const minutesAgo = (max: number) => fc.nat({ max }).map((age) => new Date(startOfTime - age * 60_000).toISOString());
const dayMinutes = 1440;
const references = { clientReferenceId: some("a", "o'hara", "' or '1' eq '1"), userCorrelationId: some("a", "b") };
const facts = {
  decision: some("accepted" as const, "rejected" as const, "inconclusive" as const),
  kind: some("liveness" as const, "livenessWithVerify" as const),
  ...{ apiVersion: some("v1.2", "v1.3-preview.1"), final: fc.boolean() },
};
// Several days, and times that are equal.
const createdOn = fc.oneof(minutesAgo(10), minutesAgo(6 * dayMinutes));
const reasons = fc.subarray(["RealFace", "FaceMatched", "SpoofDetected"]);
const anyFields = anyRecord({ ...facts, createdOn, reasons }, references);
const anyEntries = fc
  .array(anyFields, { maxLength: 60 })
  .map((all) => all.map((fields, number) => outcome(number, fields)));
const window = { from: minutesAgo(6 * dayMinutes), to: minutesAgo(2 * dayMinutes) };
const anyConditions = anyRecord({}, { ...facts, ...references, ...window, reason: some("RealFace", "SpoofDetected") });
const anyQuery = anyConditions.map(lastMonth);

/** The entries that a query describes, in their order. */
function expected(entries: readonly OutcomeEntry[], { from, to, reason, ...equal }: OutcomeQuery): OutcomeEntry[] {
  return entries
    .filter(({ createdOn }) => createdOn >= from && createdOn < to)
    .filter(({ reasons }) => reason === undefined || reasons.includes(reason))
    .filter((entry) => Object.entries(equal).every(([name, value]) => entry[name as "kind"] === value))
    .toSorted((a, b) => Date.parse(b.createdOn) - Date.parse(a.createdOn) || (a.creationId < b.creationId ? -1 : 1));
}

const sizes = fc.integer({ min: 1, max: 20 });
testPropertyTimes(150, "any query -> each match once", [anyEntries, anyQuery, sizes], async (entries, query, top) => {
  const { index } = await withOutcomes(entries);
  const matching = expected(entries, query);
  assert.deepEqual(await scanned(index.scan(query)), matching);
  const pages = await pagesOf((continuationToken) => index.page(query, { top, continuationToken }));
  assert.deepEqual(pages.flat(), matching);
  for (const { length } of pages.slice(0, -1)) assert.equal(length, top);
});

describe("a page", () => {
  test("few outcomes on one day -> one request for each shard of that day", async () => {
    const { index, requests } = await withOutcomes(outcomes(30));
    const query = { from: "2026-03-01T00:00:00.000Z", to: "2026-03-02T00:00:00.000Z" };
    const { items, continuationToken } = await index.page(query, { top: 100 });
    assert.deepEqual([items.length, continuationToken], [30, undefined]);
    assert.equal(requests.length, 4);
  });

  test("no outcomes in 31 days -> found out with one page of at most 128 requests", async () => {
    const { index, requests } = await withOutcomes([]);
    // Aligned to days.
    const query = { from: "2026-02-01T00:00:00.000Z", to: "2026-03-04T00:00:00.000Z" };
    assert.deepEqual(await index.page(query, { top: 100 }), { items: [] });
    assert.equal(requests.length, 31 * 4);
    assert.deepEqual(await index.page(lastMonth(), { top: 100 }), { items: [] });
  });

  test("a reason that no outcome has -> short pages, each with a bounded number of requests", async () => {
    const entries = outcomes(2000, (number) => ({
      createdOn: new Date(startOfTime - number * 10_000).toISOString(),
      reasons: number === 1999 ? ["SpoofDetected"] : ["RealFace"],
    }));
    const { world } = await withOutcomes(entries);
    const query = lastMonth({ reason: "SpoofDetected" });
    const { calls } = world.start();
    const table = world.storage.outcomes.open(calls);
    // As if there were many more outcomes.
    const small = { query: (query: Query) => table.query({ ...query, pageSize: 3 }) };
    const pages = await pagesOf(async (continuationToken) => {
      const before = calls.names.length;
      const page = await readPage(small, query, { top: 5, continuationToken });
      assert.ok(calls.names.length - before <= 128, String(calls.names.length - before));
      return page;
    });
    assert.deepEqual(pages.flat(), [entries[1999]]);
    assert.ok(pages.length > 3, String(pages.length));
  });

  test("storage returns only empty pages -> 503 ServerBusy after a bounded number of requests", async () => {
    let requests = 0;
    const table = {
      // biome-ignore lint/correctness/useYield: there is no row
      async *query({ mayContinue }: Query) {
        do requests += 1;
        while (mayContinue?.(requests));
      },
    };
    await assert.rejects(readPage(table, lastMonth(), { top: 5 }), { status: 503, code: "ServerBusy" });
    assert.ok(requests < 50, String(requests));
  });

  test("outcomes between two pages: newer ones do not appear, removed ones are not repeated", async () => {
    const { index, world } = await withOutcomes(outcomes(10).slice(2));
    const query = lastMonth();
    const { items, continuationToken } = await index.page(query, { top: 4 });
    assert.deepEqual(items, outcomes(6).slice(2));
    await openIndexes(world).index.put(outcomes(2));
    await openIndexes(world).index.remove(outcomes(7).slice(5));
    const next = await index.page(query, { top: 4, continuationToken });
    assert.deepEqual(next, { items: outcomes(10).slice(7) });
  });
});

describe("a continuation token", () => {
  async function tokenOf(query: OutcomeQuery) {
    const { index } = await withOutcomes(outcomes(10, () => ({ decision: "accepted" })));
    const { continuationToken = assert.fail() } = await index.page(query, { top: 3 });
    return { index, continuationToken };
  }

  const changes: Partial<OutcomeQuery>[] = [
    { from: new Date(startOfTime - 5 * dayMs).toISOString() },
    { to: new Date(startOfTime - 1).toISOString() },
    { decision: "accepted" },
    { reason: "RealFace" },
    { kind: "liveness" },
    { apiVersion: "v1.2" },
    { clientReferenceId: "a" },
    { userCorrelationId: "a" },
    { final: true },
  ];
  for (const change of changes) {
    test(`of the query without ${JSON.stringify(change)} -> BadArgument`, async () => {
      const { index, continuationToken } = await tokenOf(lastMonth());
      await assert.rejects(index.page(lastMonth(change), { top: 3, continuationToken }), refused);
      assert.equal((await index.page(lastMonth(), { top: 100, continuationToken })).items.length, 7);
    });
  }

  test("of the same value for another condition -> BadArgument", async () => {
    const { index } = await withOutcomes(outcomes(9, () => ({ clientReferenceId: "a", userCorrelationId: "a" })));
    const { continuationToken } = await index.page(lastMonth({ clientReferenceId: "a" }), { top: 3 });
    await assert.rejects(index.page(lastMonth({ userCorrelationId: "a" }), { top: 3, continuationToken }), refused);
  });

  testProperty("any text -> BadArgument", [fc.oneof(fc.string(), fc.base64String())], async (continuationToken) => {
    const { index } = openIndexes();
    await assert.rejects(index.page(lastMonth(), { top: 3, continuationToken }), refused);
  });
});

describe("a scan", () => {
  const everyFiveSeconds = (count: number) =>
    outcomes(count, (number) => ({ createdOn: new Date(startOfTime - number * 5000).toISOString() }));

  test("thousands of outcomes -> as few requests as possible, and lists of a few thousand at most", async () => {
    const { index, requests } = await withOutcomes(everyFiveSeconds(4100));
    const query = { from: "2026-03-01T00:00:00.000Z", to: "2026-03-02T00:00:00.000Z" };
    let found = 0;
    for await (const list of index.scan(query)) {
      found += list.length;
      assert.ok(list.length > 0 && list.length <= 4000);
    }
    assert.equal(found, 4100);
    assert.ok(requests.length <= 8, String(requests.length));
  });

  test("given up -> at most one more page of each shard, and of the day before, was requested", async () => {
    const { index, requests } = await withOutcomes(everyFiveSeconds(6000));
    for await (const _ of index.scan(lastMonth())) break;
    const after = requests.length;
    assert.ok(after <= 12, String(after));
    await index.completeTo();
    assert.equal(requests.length, after + 1);
  });

  test("storage fails midway -> the outcomes before, then the error", async () => {
    const entries = everyFiveSeconds(6000);
    const { world } = await withOutcomes(entries);
    const { index } = openIndexes(world, ({ name, nth }) =>
      name === "outcomes.query" && nth > 9 ? new InjectedError("injected") : undefined,
    );
    const found: OutcomeEntry[] = [];
    const read = async () => {
      for await (const list of index.scan(lastMonth())) found.push(...list);
    };
    await assert.rejects(read, { name: "InjectedError" });
    assert.ok(found.length > 0);
    assert.deepEqual(found, entries.slice(0, found.length));
  });
});
