import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeliveryResult } from "../../../src/events/delivery-target.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer, runTimerAfter } from "../fakes/app.ts";
import { createReceiver, deliveryRowsOf, eventRowsOf, failing, type Receiver } from "../fakes/receiver.ts";
import { seedSettled } from "../fakes/seed.ts";
import { createWorld, type World } from "../fakes/world.ts";

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
