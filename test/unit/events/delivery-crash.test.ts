import assert from "node:assert/strict";
import { describe } from "node:test";
import { deleteSession } from "../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer, runTimerAfter } from "../fakes/app.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { testInterruptions } from "../fakes/moments.ts";
import type { Receiver } from "../fakes/receiver.ts";
import { createReceiver, deliveryRowsOf, eventRowsOf, failing, listedEvents } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, type Process, sessionAt, trusted, type World } from "../fakes/world.ts";

/** A world with a session with two attempts, whose receiver fails at first. */
async function arrange(seed: Parameters<typeof seedSession>[1] = {}, failures = 1): Promise<World> {
  const world = createWorld();
  world.targets.push(createReceiver((nth) => (nth <= failures ? failing : { outcome: "delivered" })));
  const { record } = await seedSession(world, seed);
  play(world.service, record.sessionId, failedAttempt());
  play(world.service, record.sessionId, realFace({ livenessDecision: "spoofface" }));
  return world;
}

const operations = {
  settling: ({ deps }: Process, world: World) => settleSession(deps, trusted, sessionAt(world), {}),
  "settling a session whose device was set in the client": ({ deps }: Process, world: World) =>
    settleSession(deps, trusted, sessionAt(world), { deviceCorrelationId: "a-device" }),
  "deleting the session": ({ deps }: Process, world: World) =>
    deleteSession(deps, trusted, "liveness", sessionAt(world)),
  "the timer": runTimer,
};

/** Runs the timer until the last retry. */
const outlast = (world: World) => runTimerAfter(world, ...[2, 5, 6, 40, 150].map((minutes) => ({ minutes })));

/** Each recorded outcome has its events, each of them has arrived and is listed, and no other event has. */
function assertAllArrived(world: World): void {
  const stored = eventRowsOf(world).map(({ id }) => String(id));
  const [receiver] = world.targets as Receiver[];
  assert.deepEqual([...new Set(receiver?.received.map(({ id }) => id))].sort(), stored.sort());
  assert.deepEqual(listedEvents(world), stored);
  assert.deepEqual(deliveryRowsOf(world), []);
  for (const { value: record } of world.tables.records.all()) {
    const { sessionId, decision, reasons, final, revision } = record;
    assert.deepEqual([decision === undefined, revision], [false, record.events?.length]);
    const last = eventRowsOf(world).find(({ id }) => id === record.events?.at(-1)?.id);
    const data = JSON.parse(String(last?.data));
    const announced = [data.decision, data.reasons, data.final, data.revision];
    assert.deepEqual(announced, [decision, reasons, final, revision]);
    const [listed, ...others] = world.storage.outcomes.all().filter((row) => row.sessionId === sessionId);
    assert.deepEqual([listed?.decision, listed?.revision, others], [decision, revision, []]);
  }
}

for (const [what, operate] of Object.entries<(process: Process, world: World) => Promise<unknown>>(operations)) {
  describe(`events of ${what}, interrupted`, async () => {
    const prepare = async () => {
      const world = await arrange({ setInClient: what.includes("in the client") });
      if (operate === runTimer) world.advance({ minutes: 12 });
      return world;
    };
    await testInterruptions(
      "each event of a recorded outcome arrives, and no other",
      prepare,
      operate,
      async (world) => {
        await runTimerAfter(world, { minutes: 2 });
        // Long before the token ends and the timer visits the session itself.
        const stored = eventRowsOf(world).map(({ id }) => id);
        if (operate !== runTimer) assert.deepEqual(listedEvents(world), stored);
        await outlast(world);
        assertAllArrived(world);
      },
    );
  });
}

describe("run of the timer that delivers events, interrupted", async () => {
  const prepare = async () => {
    const world = await arrange({}, 2);
    await settleSession(world.start().deps, trusted, sessionAt(world), {});
    world.advance({ minutes: 6 });
    return world;
  };
  await testInterruptions("each event arrives", prepare, runTimer, async (world) => {
    await outlast(world);
    assertAllArrived(world);
  });
});

describe("erasure of a device with events that are not delivered, interrupted and repeated", async () => {
  const prepare = async () => {
    const world = await arrange({}, 3);
    await settleSession(world.start().deps, trusted, sessionAt(world), {});
    await runTimerAfter(world, { minutes: 1 });
    return world;
  };
  const erase = ({ deps }: Process) => eraseDevice(deps, "a-device");
  await testInterruptions("only events of the erasure arrive", prepare, erase, async (world) => {
    await erase(world.start());
    const receiver = createReceiver();
    world.targets.splice(0, 1, receiver);
    await outlast(world);
    assert.deepEqual([...new Set(receiver.received.map(({ type }) => type))], ["liveness.device.erased"]);
    const text = JSON.stringify(world.everything());
    assert.equal(text.includes("a-device"), false);
    assert.deepEqual(deliveryRowsOf(world), []);
  });
});
