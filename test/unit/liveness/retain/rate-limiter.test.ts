import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Throttling } from "../../../../src/face/errors.ts";
import { createRateLimiter, DeadlineReached } from "../../../../src/liveness/retain/rate-limiter.ts";

/** A rate limiter on its own clock, where every sleep takes `lateMs` longer than requested. */
function arrange(callsPerSecond: number, lateMs = 0) {
  let ticks = 0;
  const clock = {
    ticks: () => ticks,
    advance(ms: number) {
      ticks += ms;
    },
    async sleep(ms: number) {
      await new Promise(setImmediate);
      ticks += ms + lateMs;
      await new Promise(setImmediate);
    },
  };
  // The wall clock differs by an hour, because it is independent of the monotonic clock.
  const now = () => 3_600_000 + ticks;
  const rateLimiter = createRateLimiter({ callsPerSecond, now, ticks: clock.ticks, sleep: clock.sleep });
  const gate = rateLimiter.gate(Number.POSITIVE_INFINITY);
  /** Sends requests one after the other. Returns the time at which each was sent. */
  async function send(count: number, throttling?: Throttling): Promise<number[]> {
    const sent: number[] = [];
    for (let request = 0; request < count; request += 1) {
      const report = await gate();
      sent.push(ticks);
      report(throttling);
    }
    return sent;
  }
  return { clock, now, rateLimiter, gate, send };
}

describe("rate limiter", () => {
  test("consecutive requests -> evenly spaced, the first immediately", async () => {
    assert.deepEqual(await arrange(5).send(6), [0, 200, 400, 600, 800, 1000]);
    assert.deepEqual(await arrange(0.5).send(3), [0, 2000, 4000]);
  });

  test("parallel requests -> evenly spaced in the order of their calls", async () => {
    const { gate, clock } = arrange(10);
    const order: [number, number][] = [];
    await Promise.all([0, 1, 2, 3].map((request) => gate().then(() => order.push([request, clock.ticks()]))));
    assert.deepEqual(
      order,
      [0, 1, 2, 3].map((request) => [request, request * 100]),
    );
  });

  test("timers fire late -> keeps the rate", async () => {
    const sent = await arrange(10, 15).send(101);
    assert.deepEqual([sent[1], sent.at(-1)], [115, 10_015]);
  });

  test("idle time -> not made up for by a burst", async () => {
    const { clock, send } = arrange(10);
    await send(2);
    clock.advance(10_000);
    assert.deepEqual(await send(3), [10_100, 10_200, 10_300]);
  });

  test("bursts and pauses -> never more than the rate and one in any second", async () => {
    const { clock, send } = arrange(7, 3);
    const sent: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      sent.push(...(await send(1 + (round % 5))));
      clock.advance((round * 37) % 400);
    }
    for (const start of sent) {
      assert.ok(sent.filter((time) => time >= start && time < start + 1000).length <= 8, `from ${start}`);
    }
  });
});

describe("rate limiter after a refusal", () => {
  test("the service names a time -> pauses all requests that long", async () => {
    const { send } = arrange(10);
    await send(1, { waitMs: 7000 });
    assert.deepEqual(await send(2), [7000, 7100]);
    await send(1, { waitMs: 0 });
    assert.deepEqual(await send(1), [7300], "no shorter than the interval");
  });

  test("the service names no time -> pauses with exponential backoff up to a minute", async () => {
    const { send } = arrange(5);
    const sent = await send(10, {});
    const pauses = sent.slice(1).map((time, index) => time - (sent[index] ?? 0));
    assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    await send(1);
    const [last] = await send(1, {});
    assert.deepEqual(await send(1), [(last ?? 0) + 500], "a successful response resets the backoff");
  });

  test("requests that wait already -> paused too", async () => {
    const { gate, clock } = arrange(10);
    const first = await gate();
    const waiting = gate().then(() => clock.ticks());
    first({ waitMs: 3000 });
    assert.equal(await waiting, 3000);
  });

  test("several refusals of parallel requests -> one step of backoff", async () => {
    const { gate, send } = arrange(1000);
    const reports = [await gate(), await gate(), await gate()];
    for (const report of reports) report({});
    assert.deepEqual(await send(1), [102]);
  });

  test("success of a request sent before the refusal -> does not reset the backoff", async () => {
    const { gate, send } = arrange(1000);
    const [one, other] = [await gate(), await gate()];
    one({});
    other();
    const [second] = await send(1, {});
    const [third] = await send(1);
    assert.equal((third ?? 0) - (second ?? 0), 200);
  });
});

describe("deadline of a gate", () => {
  test("next free time is after it -> DeadlineReached without waiting", async () => {
    const { rateLimiter, now, send, clock } = arrange(10);
    const gate = rateLimiter.gate(now() + 250);
    await send(1);
    await gate();
    await gate();
    const before = clock.ticks();
    await assert.rejects(gate(), DeadlineReached);
    await assert.rejects(gate(), DeadlineReached);
    assert.equal(clock.ticks(), before);
  });

  test("next run with a later deadline -> waits for the pause that the service requested", async () => {
    const { rateLimiter, now, send, clock } = arrange(10);
    await send(1, { waitMs: 60_000 });
    await assert.rejects(rateLimiter.gate(now() + 30_000)(), DeadlineReached);
    await rateLimiter.gate(now() + 90_000)();
    assert.equal(clock.ticks(), 60_000);
  });
});
