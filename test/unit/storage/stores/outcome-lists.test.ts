import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { OutcomeEntry } from "../../../../src/liveness/model/events.ts";
import type { OutcomeIndex, OutcomeQuery } from "../../../../src/liveness/model/outcome-index.ts";
import type { Query } from "../../../../src/storage/azure/query.ts";
import { readPage } from "../../../../src/storage/stores/outcome-lists.ts";
import { InjectedError } from "../../fakes/calls.ts";
import { lastMonth, openIndexes, outcome, outcomes, scanned } from "../../fakes/outcomes.ts";
import { startOfTime } from "../../fakes/world.ts";

const dayMs = 86_400_000;
const refused = { status: 400, code: "BadArgument" };

/** All pages of a query. */
async function pagesOf(index: OutcomeIndex, query: OutcomeQuery, top: number): Promise<OutcomeEntry[][]> {
  const pages: OutcomeEntry[][] = [];
  let continuationToken: string | undefined;
  do {
    const page = await index.page(query, { top, continuationToken });
    assert.notEqual(page.continuationToken, continuationToken ?? "none");
    pages.push(page.items);
    ({ continuationToken } = page);
  } while (continuationToken !== undefined);
  return pages;
}

/** A world with these outcomes, read by a process of its own. */
async function withOutcomes(entries: readonly OutcomeEntry[]) {
  const { index, world } = openIndexes();
  await index.put(entries);
  return openIndexes(world);
}

const some = <T>(...values: T[]) => fc.constantFrom(...values);
const anyFields = fc.record({
  /** Minutes before the start of time: several days, and times that are equal. */
  age: fc.oneof(fc.nat({ max: 10 }), fc.nat({ max: 6 * 1440 })),
  decision: some("accepted" as const, "rejected" as const, "inconclusive" as const),
  reasons: fc.subarray(["RealFace", "FaceMatched", "SpoofDetected"]),
  kind: some("liveness" as const, "livenessWithVerify" as const),
  apiVersion: some("v1.2", "v1.3-preview.1"),
  final: fc.boolean(),
  clientReferenceId: fc.option(some("a", "o'hara", "' or '1' eq '1"), { nil: undefined }),
  userCorrelationId: fc.option(some("a", "b"), { nil: undefined }),
});
const anyEntries = fc.array(anyFields, { maxLength: 60 }).map((all) =>
  all.map(({ age, clientReferenceId, userCorrelationId, ...fields }, number) =>
    outcome(number, {
      ...fields,
      createdOn: new Date(startOfTime - age * 60_000).toISOString(),
      ...(clientReferenceId !== undefined && { clientReferenceId }),
      ...(userCorrelationId !== undefined && { userCorrelationId }),
    }),
  ),
);
const anyConditions: fc.Arbitrary<Partial<OutcomeQuery>> = fc.record(
  {
    decision: some("accepted" as const, "rejected" as const),
    reason: some("RealFace", "SpoofDetected"),
    kind: some("liveness" as const, "livenessWithVerify" as const),
    apiVersion: some("v1.2", "v1.3-preview.1"),
    final: fc.boolean(),
    clientReferenceId: some("a", "o'hara", "' or '1' eq '1"),
    userCorrelationId: some("a", "b"),
    from: fc.nat({ max: 6 * 1440 }).map((age) => new Date(startOfTime - age * 60_000).toISOString()),
    to: fc.nat({ max: 2 * 1440 }).map((age) => new Date(startOfTime - age * 60_000).toISOString()),
  },
  { requiredKeys: [] },
);

/** The entries that a query describes, in their order. */
function expected(entries: readonly OutcomeEntry[], { from, to, reason, ...equal }: OutcomeQuery): OutcomeEntry[] {
  const rank = ({ createdOn, creationId }: OutcomeEntry) => [-Date.parse(createdOn), creationId] as const;
  return entries
    .filter(({ createdOn }) => createdOn >= from && createdOn < to)
    .filter(({ reasons }) => reason === undefined || reasons.includes(reason))
    .filter((entry) => Object.entries(equal).every(([name, value]) => entry[name as "kind"] === value))
    .toSorted((one, other) => {
      const [[time, id], [otherTime, otherId]] = [rank(one), rank(other)];
      return time - otherTime || (id < otherId ? -1 : 1);
    });
}

describe("pages and scans of any outcomes by any conditions", () => {
  test("each matching outcome once, newest first; all pages but the last are full", async () => {
    await fc.assert(
      fc.asyncProperty(anyEntries, anyConditions, fc.integer({ min: 1, max: 20 }), async (entries, conditions, top) => {
        const { index } = await withOutcomes(entries);
        const query = lastMonth(conditions);
        const matching = expected(entries, query);
        assert.deepEqual(await scanned(index.scan(query)), matching);
        const pages = await pagesOf(index, query, top);
        assert.deepEqual(pages.flat(), matching);
        const sizes = pages.map(({ length }) => length);
        assert.ok(
          sizes.slice(0, -1).every((size) => size === top),
          String(sizes),
        );
      }),
      { numRuns: 150 },
    );
  });
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
    const page = await index.page(lastMonth(), { top: 100 });
    assert.deepEqual(page, { items: [] });
  });

  test("a reason that no outcome has -> short pages, each with a bounded number of requests", async () => {
    const entries = outcomes(2000, (number) => ({
      createdOn: new Date(startOfTime - number * 10_000).toISOString(),
      reasons: number === 1999 ? ["SpoofDetected"] : ["RealFace"],
    }));
    const { world } = await withOutcomes(entries);
    const query = lastMonth({ reason: "SpoofDetected" });
    const small = smallPages(world, 3);
    const found: OutcomeEntry[] = [];
    let continuationToken: string | undefined;
    let pages = 0;
    do {
      const before = small.requests();
      const page = await readPage(small.table, query, { top: 5, continuationToken });
      assert.ok(small.requests() - before <= 128, String(small.requests() - before));
      found.push(...page.items);
      ({ continuationToken } = page);
      pages += 1;
    } while (continuationToken !== undefined);
    assert.deepEqual(found, [entries[1999]]);
    assert.ok(pages > 3, String(pages));
  });

  /** A table that returns small pages, as if there were many more outcomes. */
  function smallPages(world: ReturnType<typeof openIndexes>["world"], pageSize: number) {
    const { calls } = world.start();
    const table = world.storage.outcomes.open(calls);
    return {
      requests: () => calls.names.length,
      table: { query: (query: Query) => table.query({ ...query, pageSize }) },
    };
  }

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

  test("any text -> BadArgument", async () => {
    const { index } = await tokenOf(lastMonth());
    const texts = fc.oneof(fc.string(), fc.base64String());
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        await assert.rejects(index.page(lastMonth(), { top: 3, continuationToken: text }), refused);
      }),
    );
  });
});

describe("a scan", () => {
  test("thousands of outcomes -> as few requests as possible, and lists of a few thousand at most", async () => {
    const entries = outcomes(4100, (number) => ({ createdOn: new Date(startOfTime - number * 5000).toISOString() }));
    const { index, requests } = await withOutcomes(entries);
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
    const entries = outcomes(6000, (number) => ({ createdOn: new Date(startOfTime - number * 5000).toISOString() }));
    const { index, requests } = await withOutcomes(entries);
    for await (const _ of index.scan(lastMonth())) break;
    const after = requests.length;
    assert.ok(after <= 12, String(after));
    await index.completeTo();
    assert.equal(requests.length, after + 1);
  });

  test("storage fails midway -> the outcomes before, then the error", async () => {
    const entries = outcomes(6000, (number) => ({ createdOn: new Date(startOfTime - number * 5000).toISOString() }));
    const { world } = await withOutcomes(entries);
    const { index } = openIndexes(world, ({ name, nth }) =>
      name === "outcomes.query" && nth > 9 ? new InjectedError("injected") : undefined,
    );
    const found: OutcomeEntry[] = [];
    await assert.rejects(
      async () => {
        for await (const list of index.scan(lastMonth())) found.push(...list);
      },
      { name: "InjectedError" },
    );
    assert.ok(found.length > 0);
    assert.deepEqual(found, entries.slice(0, found.length));
  });
});
