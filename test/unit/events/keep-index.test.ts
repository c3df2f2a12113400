import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer, runTimerAfter } from "../fakes/app.ts";
import { stopOn } from "../fakes/calls.ts";
import { realFace } from "../fakes/face-service.ts";
import { testInterleavings, testInterruptions } from "../fakes/moments.ts";
import { createReceiver, failing } from "../fakes/receiver.ts";
import { seedSession, seedSettled } from "../fakes/seed.ts";
import { createWorld, trusted, type World } from "../fakes/world.ts";

const iso = (ms: number) => new Date(ms).toISOString();

const listed = ({ storage }: World) =>
  storage.outcomes
    .all()
    .flatMap(({ sessionId }) => sessionId ?? [])
    .sort();
const completeTo = (world: World) => world.start().deps.outcomeIndex.completeTo();

/** Outcomes of an earlier version of the app, which had neither lists nor events. */
async function earlier(count = 3): Promise<World> {
  const world = createWorld();
  for (let number = 0; number < count; number += 1) {
    await seedSettled(world, { deviceCorrelationId: `device-${number}` });
    world.advance({ seconds: 1 });
  }
  for (const { partition, row, value } of world.tables.records.all()) {
    const { revision: _, events: __, ...record } = value;
    world.tables.records.put(partition, row, record);
  }
  for (const table of [world.storage.sessions, world.storage.expiry]) {
    for (const { partitionKey, rowKey, phase } of table.all()) {
      if (rowKey.startsWith("e_") || phase === "deliver") table.remove(partitionKey, rowKey);
    }
  }
  return world;
}

const sessionsOf = (world: World) =>
  world.tables.records
    .all()
    .map(({ value }) => value.sessionId)
    .sort();

describe("the time to which the lists are complete", () => {
  test("nothing left -> when the run began", async () => {
    const world = createWorld();
    await seedSettled(world);
    world.advance({ minutes: 1 });
    const begin = world.now();
    await runTimer(world.start());
    assert.equal(await completeTo(world), iso(begin - 60_000));
    assert.deepEqual(listed(world), sessionsOf(world));
  });

  test("an outcome whose request has not ended -> not later than its entry, and complete in a later run", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, {}, realFace());
    const begin = world.now();
    const stopped = world.start(stopOn("sessions.transact", "before"));
    await stopped.attempt((deps) => settleSession(deps, trusted, record.sessionId, {}));
    await runTimerAfter(world, { minutes: 5 });
    assert.equal(await completeTo(world), iso(begin));
    await runTimerAfter(world, { minutes: 6 });
    assert.equal(await completeTo(world), iso(world.now() - 60_000));
  });

  test("events that wait for a retry do not hold it back", async () => {
    const world = createWorld();
    world.targets.push(createReceiver(() => failing));
    await seedSettled(world);
    await runTimerAfter(world, { minutes: 1 });
    assert.equal(await completeTo(world), iso(world.now() - 60_000));
  });
});

describe("lists without a time, as after an update or when an operator has removed the table", async () => {
  test("built from the records of all devices, decided ones only", async () => {
    const world = await earlier();
    const decided = sessionsOf(world);
    await seedSession(world, { deviceCorrelationId: "undecided" });
    await runTimer(world.start());
    assert.deepEqual(listed(world), decided);
    assert.notEqual(await completeTo(world), undefined);
  });

  test("more than one run reads -> no time before the last one", async () => {
    const world = await earlier(1);
    const { sessions } = world.start().deps;
    const [first] = world.tables.records.all();
    const page = await sessions.all();
    let calls = 0;
    const all: typeof sessions.all = async () => {
      calls += 1;
      // Each page is read twice, the second time to find sessions that were erased meanwhile.
      return calls <= 12 ? { ...page, continuationToken: `token-${calls}` } : page;
    };
    const process = world.start();
    const slow = { ...process, deps: { ...process.deps, sessions: { ...process.deps.sessions, all } } };
    await runTimer(slow);
    assert.equal(await completeTo(world), undefined);
    await runTimer(slow);
    assert.notEqual(await completeTo(world), undefined);
    assert.deepEqual(listed(world), [first?.value.sessionId]);
  });

  await testInterruptions("the next runs complete them", earlier, runTimer, async (world) => {
    await runTimerAfter(world, ...Array(3).fill({ minutes: 5 }));
    assert.deepEqual(listed(world), sessionsOf(world));
    assert.equal(await completeTo(world), iso(world.now() - 60_000));
  });

  const erase = (world: World) => eraseDevice(world.start().deps, "device-1");
  const title = "device erased {} of the run that builds them -> not in the lists";
  await testInterleavings(title, earlier, runTimer, erase, (world) => {
    assert.deepEqual(listed(world), sessionsOf(world));
    assert.equal(listed(world).length, 2);
  });
});
