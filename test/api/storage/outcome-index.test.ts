import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import type { OutcomeEntry } from "../../../src/liveness/model/events.ts";
import type { OutcomeQuery } from "../../../src/liveness/model/outcome-index.ts";
import { createTableStores } from "../../../src/storage/create-stores.ts";
import { outcome, scanned } from "../../unit/fakes/outcomes.ts";
import { openRig } from "./storage-rig.ts";

const dayMs = 86_400_000;
let days = 0;

/** The indexes of a process, and outcomes of two days that no other test uses. */
async function open(t: TestContext, count: number) {
  const { connection, proxy } = await openRig(t);
  const { outcomeIndex: index, eventIndex: events } = createTableStores(connection);
  days += 10;
  const start = Date.parse("2025-01-01T00:00:00.000Z") + days * dayMs;
  const entries = Array.from({ length: count }, (_, number) =>
    outcome(number, {
      creationId: randomUUID(),
      createdOn: new Date(start + dayMs - number * 60_000).toISOString(),
      clientReferenceId: `o'hara / ${number}`,
    }),
  );
  const query: OutcomeQuery = { from: iso(start - dayMs), to: iso(start + 2 * dayMs) };
  const found = (more: Partial<OutcomeQuery> = {}) => scanned(index.scan({ ...query, ...more }));
  return { index, events, proxy, entries, query, found, start };
}

const iso = (ms: number) => new Date(ms).toISOString();
const isBatch = ({ path }: { path: string }) => path.endsWith("/$batch");
const revised = (entries: readonly OutcomeEntry[], revision: number): OutcomeEntry[] =>
  entries.map((entry) => ({ ...entry, revision, decision: "rejected" }));

describe("the index of outcomes on Azurite", () => {
  test("entries of two days -> written by transactions, read newest first", async (t) => {
    const { index, proxy, entries, found } = await open(t, 320);
    await index.put([]);
    await index.put(entries.slice(0, 1));
    proxy.take();
    await index.put(entries.slice(1));
    assert.deepEqual(new Set(proxy.take()), new Set(["POST /$batch"]));
    assert.deepEqual(await found(), entries);
    assert.deepEqual(await found({ clientReferenceId: "o'hara / 7" }), entries.slice(7, 8));
    assert.deepEqual(await found({ final: false }), []);
  });

  test("the response to a transaction is lost -> the entries exist once", async (t) => {
    const { index, proxy, entries, found } = await open(t, 30);
    proxy.inject("lose-answer", isBatch, 2);
    await index.put(entries);
    proxy.inject("lose-answer", isBatch, 2);
    await index.put(revised(entries, 2));
    assert.equal(proxy.strikes(), 4);
    assert.deepEqual(await found(), revised(entries, 2));
  });

  test("two processes at once -> every entry in its newest revision", async (t) => {
    const { index, entries, found } = await open(t, 60);
    const { connection } = await openRig(t);
    const other = createTableStores(connection).outcomeIndex;
    await Promise.all([index.put(entries), other.put(revised(entries, 2)), other.put(entries)]);
    assert.deepEqual(await found(), revised(entries, 2));
  });

  test("days before a time -> removed with their events", async (t) => {
    const { index, events, entries, found, start } = await open(t, 1500);
    await index.put(entries);
    const refs = entries.map(({ creationId: id, createdOn: occurredOn, place }) => ({ id, occurredOn, place }));
    await events.put(refs);
    const isKept = ({ createdOn }: OutcomeEntry) => createdOn >= iso(start + dayMs);
    await index.removeBefore(iso(start + dayMs + 1), Number.POSITIVE_INFINITY);
    assert.deepEqual(await found(), entries.filter(isKept));
    const { items } = await events.page({ before: iso(start + 2 * dayMs), top: 100 });
    assert.deepEqual(
      items,
      refs.filter((_, number) => isKept(entries[number] ?? assert.fail())),
    );
  });
});

test("events of several days on Azurite -> pages in the order of their times", async (t) => {
  const { index, events, entries, start } = await open(t, 30);
  // Other tests have left events.
  await index.removeBefore(iso(start), Number.POSITIVE_INFINITY);
  const refs = entries.map(({ creationId: id, place }, number) => ({
    id,
    occurredOn: iso(start + number * 7_200_000),
    place,
  }));
  await events.put(refs.toReversed());
  const before = iso(start + 10 * dayMs);
  const first = await events.page({ before, top: 20 });
  assert.deepEqual(first.items, refs.slice(0, 20));
  const { items } = await events.page({ before, top: 20, after: first.continuationToken });
  assert.deepEqual(items, refs.slice(20));
});
