import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readEventPage } from "../../../src/events/event-pages.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer } from "../fakes/app.ts";
import { failOn } from "../fakes/calls.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { createReceiver, eventRowsOf, failing } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { assertNothingLeft, createWorld, trusted, type World } from "../fakes/world.ts";

async function settle(world: World, seed: Parameters<typeof seedSession>[1] = {}): Promise<void> {
  const { record } = await seedSession(world, seed);
  play(world.service, record.sessionId, realFace());
  await settleSession(world.start().deps, trusted, record.sessionId, {});
}

/** A session whose event has a type of a later version of the app, which ran for a time. */
async function ofLaterVersion(): Promise<World> {
  const world = createWorld();
  world.targets.push(createReceiver(() => failing));
  await settle(world);
  const [row = assert.fail()] = eventRowsOf(world);
  world.storage.sessions.put({ ...row, type: "liveness.of.a.later.version" });
  return world;
}

/** Runs the timer, whose failures are reported. */
async function run(world: World, hours: number): Promise<void> {
  world.advance({ hours });
  await runTimer(world.start()).catch(() => undefined);
}

describe("an event that cannot be read", () => {
  test("device erased -> nothing of it is left after the next retry", async () => {
    const world = await ofLaterVersion();
    await run(world, 0.1);
    await eraseDevice(world.start().deps, "a-device");
    await run(world, 2);
    assert.equal(JSON.stringify(world.everything()).includes("a-device"), false);
  });

  test("retention ended -> the session is pruned and purged like others", async () => {
    const world = await ofLaterVersion();
    for (const hours of [0.1, 1, 49, 88 * 24]) await run(world, hours);
    assert.deepEqual(world.tables.records.all(), []);
    await run(world, 5 * 24);
    assertNothingLeft(world);
  });

  test("storage refuses to read an event -> the lists are not complete beyond it", async () => {
    const world = createWorld();
    await settle(world);
    const begin = world.now();
    world.advance({ minutes: 6 });
    const refusing = world.start(({ name, when }) =>
      name === "sessions.get" && when === "before" ? new Error("403") : undefined,
    );
    await runTimer(refusing).catch(() => undefined);
    assert.equal(await world.start().deps.outcomeIndex.completeTo(), new Date(begin).toISOString());
  });

  test("storage refuses to read events -> the list fails, since a page without them would be the reader's last look", async () => {
    const world = createWorld();
    await settle(world);
    for (const hours of [0.1, 0.1]) await run(world, hours);
    const { deps } = world.start(failOn("sessions.get"));
    await assert.rejects(readEventPage(deps, { top: 50 }));
  });
});

test("a session that cannot be read -> the lists are built from the others", async () => {
  const world = createWorld();
  await settle(world, { deviceCorrelationId: "unreadable" });
  await settle(world, { deviceCorrelationId: "z-readable" });
  for (const { partition, row, value } of world.tables.records.all()) {
    if (partition === "unreadable") world.storage.sessions.put({ partitionKey: partition, rowKey: row });
    else world.tables.records.put(partition, row, value);
  }
  await run(world, 0.1);
  const { outcomeIndex } = world.start().deps;
  assert.notEqual(await outcomeIndex.completeTo(), undefined);
});
