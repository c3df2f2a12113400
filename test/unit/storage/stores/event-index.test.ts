import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EventRef } from "../../../../src/liveness/model/events.ts";
import { writePlace } from "../../../../src/storage/rows/keys.ts";
import { writePageToken } from "../../../../src/storage/rows/page-token.ts";
import { openIndexes } from "../../fakes/outcomes.ts";
import { createWorld, startOfTime } from "../../fakes/world.ts";
import { pagesOf } from "./pages.ts";

const hourMs = 3_600_000;
const before = new Date(startOfTime + 1000 * hourMs).toISOString();

/** The n-th event, seven hours after the one before. */
function ref(number: number): EventRef {
  return {
    id: `019cab00-0000-7000-8000-${String(number).padStart(12, "0")}`,
    occurredOn: new Date(startOfTime + 7 * number * hourMs).toISOString(),
    place: writePlace({ partition: "a-device", idempotencyRowKey: `k_${number}` }),
  };
}

const refs = (count: number) => Array.from({ length: count }, (_, number) => ref(number));

describe("page", () => {
  for (const top of [1, 3, 20, 100]) {
    test(`events of several days, ${top} on a page -> each once, oldest first`, async () => {
      const { events } = openIndexes();
      await events.put(refs(20).toReversed());
      const pages = await pagesOf(async (after) => {
        const page = await events.page({ before, top, ...(after !== undefined && { after }) });
        // The last cursor stays valid for later events.
        return page.items.length === 0 ? { items: [] } : page;
      });
      assert.deepEqual(pages.flat(), refs(20));
      assert.ok(pages.slice(0, -2).every(({ length }) => length === top));
    });
  }

  test("no events -> no cursor without one, the same cursor with one", async () => {
    const { events } = openIndexes();
    assert.deepEqual(await events.page({ before, top: 5 }), { items: [] });
    await events.put(refs(2));
    const { continuationToken: after } = await events.page({ before, top: 5 });
    assert.deepEqual(await events.page({ before, top: 5, after }), { items: [], continuationToken: after });
    await events.put([ref(2)]);
    assert.deepEqual((await events.page({ before, top: 5, after })).items, [ref(2)]);
  });

  test("events at and after the end -> left out", async () => {
    const { events } = openIndexes();
    await events.put(refs(6));
    const { items } = await events.page({ before: ref(4).occurredOn, top: 100 });
    assert.deepEqual(items, refs(4));
  });

  test("the event of the cursor was removed -> continues with the next one", async () => {
    const { events } = openIndexes();
    await events.put(refs(6));
    const { continuationToken: after } = await events.page({ before, top: 3 });
    await events.remove(refs(3));
    assert.deepEqual((await events.page({ before, top: 3, after })).items, refs(6).slice(3));
  });

  test("one request for each page", async () => {
    const { events, world } = openIndexes();
    await events.put(refs(10));
    const { events: reader, requests } = openIndexes(world);
    await reader.page({ before, top: 3 });
    assert.deepEqual(requests, ["outcomes.query"]);
  });

  // The last one has the row of a session, which no list of events contains.
  const forged = writePageToken("outcomes/events", "s_0000000000000_a-creation");
  for (const after of ["", "a", "é", "AAAA".repeat(1000), forged]) {
    test(`cursor ${JSON.stringify(after.slice(0, 8))} -> BadArgument`, async () => {
      const { events } = openIndexes();
      await assert.rejects(events.page({ before, top: 1, after }), { status: 400, code: "BadArgument" });
    });
  }
});

test("put twice, and removed twice -> one row, and none", async () => {
  const { events, world } = openIndexes();
  await events.put([...refs(120), ref(3)]);
  await events.put(refs(120));
  assert.equal(world.storage.outcomes.all().length, 120);
  await events.remove([...refs(120), ref(3)]);
  await events.remove(refs(120));
  assert.deepEqual(world.everything(), createWorld().everything());
});
