import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeliveryResult, DeliveryTarget } from "../../../src/events/delivery-target.ts";
import { keepIndex } from "../../../src/events/keep-index.ts";
import { listEvents } from "../../../src/events/list-events.ts";
import { createPublisher } from "../../../src/events/publisher.ts";
import { retryDeliveries } from "../../../src/events/retry-deliveries.ts";
import { eventId, undelivered } from "../../../src/liveness/model/events.ts";
import type { Place } from "../../../src/liveness/model/references.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { createReceiver, deliveryRowsOf, failing, type Receiver } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../fakes/world.ts";

async function settle(world: World, deviceCorrelationId = "a-device"): Promise<void> {
  const { record } = await seedSession(world, { ttlSeconds: 86_400, deviceCorrelationId });
  play(world.service, record.sessionId, realFace());
  await settleSession(world.start().deps, trusted, record.sessionId, {});
}

/** Answers when the run of the timer ends. */
const hanging: DeliveryTarget = {
  name: "receiver",
  accepts: () => true,
  deliver: (_event, signal) =>
    new Promise((resolve) => signal?.addEventListener("abort", () => resolve({ outcome: "retry", cause: "Aborted" }))),
};

/** The parts of a run of the timer that concern events; the time for retries is over at once. */
async function runWithoutTime(world: World, { deps }: Process): Promise<void> {
  const fail = ({ cause }: { cause: unknown }) => assert.fail(String(cause));
  const tools = { ...deps, onFailure: fail, onGivenUp: () => undefined };
  const startedOn = new Date(world.now()).toISOString();
  const { deliverable } = await listEvents(tools, startedOn);
  await retryDeliveries(tools, deliverable, world.now());
  await keepIndex(tools, startedOn, world.now() + 60_000, deliverable);
}

describe("events that a run of the timer has no time to deliver", () => {
  for (const [what, minutesToList] of [
    ["listed by an earlier run", 2],
    ["listed by the same run", 7],
  ] as const) {
    test(`${what} -> the lists are complete all the same`, async () => {
      const world = createWorld();
      world.targets.push(createReceiver(() => failing));
      await settle(world);
      world.targets.splice(0, 1, hanging);
      world.advance({ minutes: minutesToList });
      await runWithoutTime(world, world.start());
      world.advance({ minutes: 5 });
      await runWithoutTime(world, world.start());
      assert.equal(deliveryRowsOf(world).length, 1);
      assert.equal(await world.start().deps.outcomeIndex.completeTo(), new Date(world.now() - 60_000).toISOString());
    });
  }
});

describe("a receiver that asks for a longer wait than the schedule's", () => {
  const minuteMs = 60_000;
  const waiting: DeliveryResult = { outcome: "retry", cause: "Status429", retryAfterMs: 180 * minuteMs };

  /** Runs the timer every five minutes. Returns the minutes at which each receiver is tried. */
  async function watch(world: World, receivers: Receiver[], hours: number): Promise<number[][]> {
    const begin = world.now();
    const tries = receivers.map((): number[] => []);
    while (world.now() - begin < hours * 60 * minuteMs) {
      world.advance({ minutes: 5 });
      const before = receivers.map((receiver) => receiver.tries());
      await runTimer(world.start());
      for (const [index, receiver] of receivers.entries()) {
        if (receiver.tries() > (before[index] ?? 0)) tries[index]?.push((world.now() - begin) / minuteMs);
      }
    }
    return tries;
  }

  test("in its answer to the first delivery -> it is kept", async () => {
    const world = createWorld();
    const receiver = createReceiver((nth) => (nth === 1 ? waiting : { outcome: "delivered" }));
    world.targets.push(receiver);
    await settle(world);
    const [at = []] = await watch(world, [receiver], 6);
    assert.equal(at.length, 1);
    assert.ok((at[0] ?? 0) >= 180 && (at[0] ?? 0) <= 185, `${at}`);
  });

  test("again and again -> the other receivers are tried by the schedule", async () => {
    const world = createWorld();
    const asking = createReceiver(() => ({ ...waiting, retryAfterMs: 24 * 60 * minuteMs }), "asking");
    const broken = createReceiver((nth) => (nth < 4 ? failing : { outcome: "delivered" }), "broken");
    world.targets.push(asking, broken);
    await settle(world);
    const [waited = [], at = []] = await watch(world, [asking, broken], 30);
    assert.equal(at.length, 3);
    for (const [index, latest] of [10, 50, 190].entries()) assert.ok((at[index] ?? 0) <= latest, `${at}`);
    assert.deepEqual([waited.length, (waited[0] ?? 0) >= 24 * 60 - 5], [1, true], `${waited}`);
  });

  test("device erased meanwhile -> no entry is left after the wait", async () => {
    const world = createWorld();
    const receiver = createReceiver(() => waiting);
    world.targets.push(receiver);
    await settle(world);
    await watch(world, [receiver], 1);
    await eraseDevice(world.start().deps, "a-device");
    assert.equal(JSON.stringify(world.everything()).includes("a-device"), false);
  });
});

test("a receiver hangs under load -> the others get every event at once", async () => {
  const world = createWorld();
  const [healthy, hung] = [createReceiver(), { ...hanging, name: "hung" }];
  const { outbox, now } = world.start().deps;
  const publish = createPublisher({ targets: [healthy, hung], outbox, now, waitMs: 1, onGivenUp: () => undefined });
  for (let number = 0; number < 100; number += 1) {
    const id = eventId(world.now(), `c0ffee00-0000-4000-8000-${String(number).padStart(12, "0")}`);
    const event = { id, type: "liveness.session.decided", occurredOn: new Date(world.now()).toISOString() } as const;
    await publish([{ ...event, ...undelivered, data: {}, place: "a-device/" as Place }]);
  }
  assert.equal(healthy.received.length, 100);
});

test("more events are due than a run can deliver -> the oldest are tried first", async () => {
  const world = createWorld();
  world.targets.push(createReceiver(() => failing));
  for (let number = 0; number < 40; number += 1) {
    await settle(world, `device-${number}`);
    world.advance({ seconds: 20 });
  }
  world.advance({ minutes: 6 });
  const tried: string[] = [];
  const receiver = createReceiver((_nth, { occurredOn }) => {
    tried.push(occurredOn);
    return { outcome: "delivered" };
  });
  world.targets.splice(0, 1, receiver);
  await runTimer(world.start());
  assert.deepEqual(tried, tried.toSorted());
});
