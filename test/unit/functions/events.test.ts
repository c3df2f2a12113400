import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runTimer, runTimerAfter, send, user } from "../fakes/app.ts";
import { createReceiver, eventRowsOf, failing } from "../fakes/receiver.ts";
import { seedSettled } from "../fakes/seed.ts";
import { createWorld, type World } from "../fakes/world.ts";

type Listed = {
  id: string;
  type: string;
  data: Record<string, unknown>;
  deliveries: { state: string; cause?: string }[];
};
type Page = { value: Listed[]; after?: string; nextLink?: string; asOf?: string };

async function list(world: World, query = ""): Promise<Page> {
  const { status, json } = await send(world, "GET", `/api/events${query}`);
  assert.equal(status, 200);
  return json as Page;
}

const sessionsOf = ({ value }: Page) => value.map(({ data }) => data.sessionId);

describe("GET api/events", () => {
  test("pages in the order of time, each event once, continued later by `after`", async () => {
    const world = createWorld();
    const decided: string[] = [];
    for (let number = 0; number < 5; number += 1) {
      decided.push(await seedSettled(world));
      world.advance({ seconds: 61 });
    }
    assert.deepEqual((await list(world)).value, [], "nothing before the first run of the timer");
    await runTimer(world.start());
    const pages = [await list(world, "?top=2")];
    while (pages.at(-1)?.nextLink) {
      const { pathname, search } = new URL(pages.at(-1)?.nextLink ?? "");
      assert.equal(pathname, "/api/events");
      pages.push(await list(world, search));
    }
    assert.deepEqual(pages.flatMap(sessionsOf), decided);
    const after = pages.at(-1)?.after ?? assert.fail();
    assert.deepEqual((await list(world, `?after=${after}`)).value, []);
    const later = await seedSettled(world);
    await runTimerAfter(world, { minutes: 2 });
    assert.deepEqual(sessionsOf(await list(world, `?after=${after}`)), [later]);
  });

  test("a cursor of another list, or none at all -> 400", async () => {
    for (const after of ["x", "!!", "a".repeat(5000)]) {
      const { status, code } = await send(createWorld(), "GET", `/api/events?after=${after}`);
      assert.deepEqual([status, code], [400, "BadArgument"], after);
    }
  });
});

describe("redelivery and tests of receivers", () => {
  test("redelivered -> the receiver gets the same event again, listed or not", async () => {
    const world = createWorld();
    const receiver = createReceiver((nth) => (nth === 1 ? failing : { outcome: "delivered" }));
    world.targets.push(receiver);
    await seedSettled(world);
    const id = String(eventRowsOf(world)[0]?.id);
    for (const isListed of [false, true]) {
      if (isListed) await runTimer(world.start());
      const { status, json } = await send(world, "POST", `/api/events/${id}/redeliver`);
      assert.deepEqual([status, (json as Listed).deliveries[0]?.state], [200, "delivered"]);
    }
    const received = receiver.received.map((event) => event.id);
    assert.deepEqual(received, [id, id]);
    await runTimerAfter(world, { hours: 1 });
    assert.equal(receiver.tries(), 3, "the timer does not deliver it once more");
  });

  test("a repetition that fails does not undo the delivery", async () => {
    const world = createWorld();
    world.targets.push(createReceiver((nth) => (nth === 2 ? failing : { outcome: "delivered" })));
    await seedSettled(world);
    const { json } = await send(world, "POST", `/api/events/${eventRowsOf(world)[0]?.id}/redeliver`);
    assert.partialDeepStrictEqual(json, { deliveries: [{ state: "delivered", cause: "Status500" }] });
  });

  test("test event -> sent to that receiver, whatever types it accepts, and not stored", async () => {
    const world = createWorld();
    const receiver = { ...createReceiver(), accepts: () => false };
    const broken = createReceiver(() => failing, "broken");
    world.targets.push(receiver, broken);
    const { status, json } = await send(world, "POST", "/api/webhooks/receiver/test");
    const { id, ...result } = json as { id: string };
    assert.deepEqual([status, result], [200, { delivered: true }]);
    assert.deepEqual([receiver.received[0]?.id, receiver.received[0]?.type], [id, "liveness.webhook.test"]);
    const failed = await send(world, "POST", "/api/webhooks/broken/test");
    assert.partialDeepStrictEqual(failed.json, { delivered: false, cause: "Status500" });
    assert.deepEqual(eventRowsOf(world), []);
  });

  test("unknown event or receiver, invalid id -> 404", async () => {
    const unknown = "019ca945-0a00-7000-8000-000000000000";
    const events = [unknown, "x"].map((id) => `events/${id}/redeliver`);
    for (const path of [...events, "webhooks/unknown/test", "webhooks/a.b/test"]) {
      assert.equal((await send(createWorld(), "POST", `/api/${path}`)).status, 404, path);
    }
  });

  test("signed-in users and reviewers -> 404 on every route", async () => {
    const world = createWorld();
    world.targets.push(createReceiver());
    await seedSettled(world);
    await runTimer(world.start());
    const id = eventRowsOf(world)[0]?.id;
    for (const caller of [user("alice"), user("bob", "Liveness.Reviewer")]) {
      assert.equal((await send(world, "GET", "/api/events", caller)).status, 404);
      assert.equal((await send(world, "POST", `/api/events/${id}/redeliver`, caller)).status, 404);
      assert.equal((await send(world, "POST", "/api/webhooks/receiver/test", caller)).status, 404);
    }
  });
});
