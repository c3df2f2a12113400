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
  const [fails, gone] = [createReceiver(() => failing, "other"), createReceiver(() => ({ outcome: "gone" }))];
  const delivered = { state: "delivered", triedOn };
  const other = { state: "pending", triedOn, cause: "Status500" };
  for (const [what, receivers, isPending, deliveries] of [
    ["delivered -> marked, nothing pending", [createReceiver()], false, { receiver: delivered }],
    ["failed -> pending and not marked, as the timer tries again anyway", [fails], true, undefined],
    [
      "one of two failed -> pending, and only it is tried again",
      [createReceiver(), fails],
      true,
      { receiver: delivered, other },
    ],
    ["hangs -> returns and leaves the event to the timer", [createReceiver(hangs)], true, undefined],
    [
      "no more events wanted -> marked as failed",
      [gone],
      false,
      { receiver: { state: "failed", triedOn, cause: "Gone" } },
    ],
    ["type that no receiver accepts -> nothing", [{ ...createReceiver(), accepts: () => false }], false, undefined],
    ["no receiver -> nothing", [], false, undefined],
  ] as const) {
    test(what, async () => {
      const { marks, givenUp, publish } = publisher(...receivers);
      assert.deepEqual(await publish([event()]), isPending ? [event()] : []);
      assert.deepEqual(marks, deliveries === undefined ? [] : [{ deliveries }]);
      assert.deepEqual(givenUp, receivers[0] === gone ? ["receiver"] : []);
    });
  }

  test("a receiver gets no internal fields", async () => {
    const receiver = createReceiver();
    await publisher(receiver).publish([event()]);
    const { place: _, deliveries: __, attempts: ___, ...sent } = event();
    assert.deepEqual(receiver.received, [sent]);
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

  test("the mark fails -> pending, not an error", async () => {
    const outbox = { mark: () => Promise.reject(new Error("storage")) };
    const publish = createPublisher({ targets: [createReceiver()], outbox, now, onGivenUp: () => undefined });
    assert.equal((await publish([event()])).length, 1);
  });
});
