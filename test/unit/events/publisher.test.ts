import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeliveryResult } from "../../../src/events/delivery-target.ts";
import { createPublisher } from "../../../src/events/publisher.ts";
import type { DeliveryState, StoredEvent } from "../../../src/liveness/model/events.ts";
import type { Place } from "../../../src/liveness/model/references.ts";
import { createReceiver, failing, type Receiver } from "../fakes/receiver.ts";

const now = () => Date.parse("2026-03-01T12:00:00.000Z");
const triedOn = "2026-03-01T12:00:00.000Z";
const hangs = () => new Promise<DeliveryResult>(() => undefined);

function event(number = 1): StoredEvent {
  return {
    id: `019ca945-0a00-7000-8000-${String(number).padStart(12, "0")}`,
    type: "liveness.session.decided",
    occurredOn: triedOn,
    data: { sessionId: "a-session" },
    place: "a-device/" as Place,
    deliveries: {},
    attempts: 0,
  };
}

function publisher(...targets: Receiver[]) {
  const marks: Partial<DeliveryState>[] = [];
  const givenUp: string[] = [];
  const outbox = {
    async mark(_ref: unknown, state: Partial<DeliveryState>) {
      marks.push(state);
      return true;
    },
  };
  return {
    marks,
    givenUp,
    publish: createPublisher({
      targets,
      outbox,
      now,
      waitMs: 20,
      onGivenUp: (_event, names) => void givenUp.push(...names),
    }),
  };
}

describe("publish", () => {
  test("delivered -> marked, nothing pending; the receiver gets no internal fields", async () => {
    const receiver = createReceiver();
    const { marks, publish } = publisher(receiver);
    assert.deepEqual(await publish([event()]), []);
    const { place: _, deliveries: __, attempts: ___, ...sent } = event();
    assert.deepEqual(receiver.received, [sent]);
    assert.deepEqual(marks, [{ deliveries: { receiver: { state: "delivered", triedOn } } }]);
  });

  test("failed -> pending and not marked, as the timer tries again anyway", async () => {
    const { marks, publish } = publisher(createReceiver(() => failing));
    assert.deepEqual(await publish([event()]), [event()]);
    assert.deepEqual(marks, []);
  });

  test("one of two receivers failed -> pending, and only the failed one is tried again", async () => {
    const { marks, publish } = publisher(
      createReceiver(),
      createReceiver(() => failing, "other"),
    );
    assert.equal((await publish([event()])).length, 1);
    const pending = { state: "pending", triedOn, cause: "Status500" };
    assert.deepEqual(marks[0]?.deliveries, { receiver: { state: "delivered", triedOn }, other: pending });
  });

  test("receiver that hangs -> returns and leaves the event to the timer", async () => {
    const { publish } = publisher(createReceiver(hangs));
    assert.deepEqual(await publish([event()]), [event()]);
  });

  test("slow receiver -> the delivery ends afterwards and is marked", async () => {
    const { promise, resolve } = Promise.withResolvers<DeliveryResult>();
    const { marks, publish } = publisher(createReceiver(() => promise));
    assert.equal((await publish([event()])).length, 1);
    assert.deepEqual(marks, []);
    resolve({ outcome: "delivered" });
    await new Promise(setImmediate);
    assert.equal(marks.length, 1);
  });

  test("many events for a receiver that hangs -> a bounded number of deliveries", async () => {
    const receiver = createReceiver(hangs);
    const { publish } = publisher(receiver);
    for (let number = 0; number < 10; number += 1) {
      const events = Array.from({ length: 10 }, (_, index) => event(number * 10 + index));
      assert.equal((await publish(events)).length, 10);
    }
    assert.equal(receiver.tries(), 64);
  });

  test("receiver that wants no more events -> marked as failed, nothing pending", async () => {
    const { marks, givenUp, publish } = publisher(createReceiver(() => ({ outcome: "gone" })));
    assert.deepEqual(await publish([event()]), []);
    assert.deepEqual(givenUp, ["receiver"]);
    assert.deepEqual(marks[0]?.deliveries, { receiver: { state: "failed", triedOn, cause: "Gone" } });
  });

  test("type that no receiver accepts, or no receiver -> nothing pending", async () => {
    const { publish } = publisher({ ...createReceiver(), accepts: () => false });
    assert.deepEqual(await publish([event()]), []);
    assert.deepEqual(await publisher().publish([event()]), []);
  });

  test("the mark fails -> pending, not an error", async () => {
    const outbox = { mark: () => Promise.reject(new Error("storage")) };
    const publish = createPublisher({ targets: [createReceiver()], outbox, now, onGivenUp: () => undefined });
    assert.equal((await publish([event()])).length, 1);
  });
});
