import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeliveryResult } from "../../../src/events/delivery-target.ts";
import { deleteSession } from "../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer, runTimerAfter } from "../fakes/app.ts";
import { failedAttempt, realFace } from "../fakes/face-service.ts";
import { testInterruptions } from "../fakes/moments.ts";
import {
  createReceiver,
  deliveryRowsOf,
  eventRowsOf,
  failing,
  listedEvents,
  type Receiver,
} from "../fakes/receiver.ts";
import { seedSession, seedSettled } from "../fakes/seed.ts";
import { createWorld, type Process, sessionAt, trusted, type World } from "../fakes/world.ts";

const minuteMs = 60_000;
const day = { ttlSeconds: 86_400 };

/** A world in which a session was settled that these receivers learn of. */
async function settled(...receivers: Receiver[]): Promise<World> {
  const world = createWorld();
  world.targets.push(...receivers);
  await seedSettled(world, day);
  return world;
}

/** Runs the timer every five minutes. Returns the minutes at which the receiver is tried, and all log lines. */
async function watch(world: World, receiver: Receiver, hours: number) {
  const begin = world.now();
  const at: number[] = [];
  const lines: Record<string, unknown>[] = [];
  while (world.now() - begin < hours * 60 * minuteMs) {
    world.advance({ minutes: 5 });
    const before = receiver.tries();
    lines.push(...(await runTimer(world.start())).map(({ fields }) => fields));
    if (receiver.tries() > before) at.push((world.now() - begin) / minuteMs);
  }
  return { at, lines };
}

const stateOf = (world: World) => JSON.parse(String(eventRowsOf(world)[0]?.deliveries));

describe("retries", () => {
  test("receiver that always fails -> eight retries with growing delays, then kept as failed and logged", async () => {
    const receiver = createReceiver(() => failing);
    const world = await settled(receiver);
    const { at, lines } = await watch(world, receiver, 90);
    assert.equal(at.length, 8);
    const delays = at.map((minutes, index) => minutes - (at[index - 1] ?? 0));
    for (const [index, scheduled] of [5, 30, 120, 300, 600, 840, 1200, 1440].entries()) {
      const delay = delays[index] ?? 0;
      // Jitter of a tenth, and the timer's interval.
      assert.ok(delay >= scheduled && delay <= scheduled * 1.1 + 5, `retry ${index + 1} after ${delay} minutes`);
    }
    assert.equal(stateOf(world).receiver.state, "failed");
    assert.deepEqual(deliveryRowsOf(world), []);
    const [givenUp, ...others] = lines.filter(({ event }) => event === "EventGivenUp");
    assert.deepEqual([givenUp?.type, givenUp?.receivers, others], ["liveness.session.decided", "receiver", []]);
  });

  test("receiver names a longer wait -> it is kept", async () => {
    const receiver = createReceiver((nth): DeliveryResult => {
      const wait = { outcome: "retry", cause: "Status429", retryAfterMs: 3 * 60 * minuteMs } as const;
      return nth === 2 ? wait : nth < 2 ? failing : { outcome: "delivered" };
    });
    const { at } = await watch(await settled(receiver), receiver, 6);
    const [first = 0, second = 0] = at;
    assert.ok(second - first >= 180 && second - first <= 185, `${at}`);
    assert.equal(receiver.received.length, 1);
  });

  test("410 -> kept as failed without a retry", async () => {
    const receiver = createReceiver((nth) => (nth === 1 ? failing : { outcome: "gone" }));
    const world = await settled(receiver);
    const { at } = await watch(world, receiver, 3);
    assert.equal(at.length, 1);
    assert.deepEqual([stateOf(world).receiver.state, stateOf(world).receiver.cause], ["failed", "Gone"]);
  });

  test("one of two receivers fails -> only that one is tried again", async () => {
    const healthy = createReceiver();
    const broken = createReceiver((nth) => (nth < 3 ? failing : { outcome: "delivered" }), "broken");
    const world = await settled(healthy, broken);
    await watch(world, broken, 3);
    assert.deepEqual([healthy.tries(), broken.tries()], [1, 3]);
    assert.deepEqual(healthy.received[0], broken.received[0]);
  });

  test("a receiver that fails again and again gets ten events of a run; the others count as tried", async () => {
    const receiver = createReceiver(() => failing);
    const world = await settled(receiver);
    for (let number = 1; number < 40; number += 1) {
      world.advance({ seconds: 61 });
      await seedSettled(world, day);
    }
    await runTimerAfter(world, { minutes: 6 });
    const before = receiver.tries();
    await runTimerAfter(world, { minutes: 1 });
    assert.ok(before - 40 <= 10 + 16, `${before - 40} tries in one run`);
    assert.equal(receiver.tries(), before, "none is due before its next delay");
    const causes = eventRowsOf(world).map(({ deliveries }) => JSON.parse(String(deliveries)).receiver?.cause);
    assert.ok(causes.includes("ReceiverUnavailable"));
  });

  test("event erased before its retry -> not delivered, and no entry is left", async () => {
    const receiver = createReceiver((nth) => (nth === 1 ? failing : { outcome: "delivered" }));
    const world = await settled(receiver);
    await runTimerAfter(world, { minutes: 2 });
    await eraseDevice(world.start().deps, "a-device");
    const [row, ...others] = deliveryRowsOf(world);
    assert.deepEqual([String(row?.partition).slice(0, 7), others], ["!event_", []]);
    await watch(world, receiver, 3);
    const types = receiver.received.map(({ type }) => type);
    assert.deepEqual(types, ["liveness.device.erased"]);
  });
});

/** A world with a session with two attempts, whose receiver fails at first. */
async function unsettled(seed: Parameters<typeof seedSession>[1] = {}, failures = 1): Promise<World> {
  const world = createWorld();
  world.targets.push(createReceiver((nth) => (nth <= failures ? failing : { outcome: "delivered" })));
  await seedSession(world, seed, failedAttempt(), realFace({ livenessDecision: "spoofface" }));
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
      const world = await unsettled({ setInClient: what.includes("in the client") });
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
    const world = await unsettled({}, 2);
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
    const world = await unsettled({}, 3);
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
