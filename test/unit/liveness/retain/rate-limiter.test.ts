import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRateLimiter, DeadlineReached } from "../../../../src/liveness/retain/rate-limiter.ts";

/** A rateLimiter on a clock of its own, on which sleeping takes just as long as it is asked to, and `lateMs` more. */
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
  // The wall's clock is an hour ahead: the two have nothing to do with each other.
  const now = () => 3_600_000 + ticks;
  const rateLimiter = createRateLimiter({ callsPerSecond, now, ticks: clock.ticks, sleep: clock.sleep });
  const gate = rateLimiter.gate(Number.POSITIVE_INFINITY);
  /** Sends so many requests one after the other, and answers when each was sent. */
  async function send(count: number, status = 200, retryAfter?: string): Promise<number[]> {
    const sent: number[] = [];
    for (let request = 0; request < count; request += 1) {
      const tell = await gate();
      sent.push(ticks);
      tell(status, retryAfter);
    }
    return sent;
  }
  return { clock, now, rateLimiter, gate, send };
}

describe("the rateLimiter", () => {
  test("lets requests through evenly, the first at once", async () => {
    assert.deepEqual(await arrange(5).send(6), [0, 200, 400, 600, 800, 1000]);
    assert.deepEqual(await arrange(0.5).send(3), [0, 2000, 4000]);
  });

  test("is kept by those who wait together, in the order in which they came", async () => {
    const { gate, clock } = arrange(10);
    const order: [number, number][] = [];
    await Promise.all([0, 1, 2, 3].map((who) => gate().then(() => order.push([who, clock.ticks()]))));
    assert.deepEqual(
      order,
      [0, 1, 2, 3].map((who) => [who, who * 100]),
    );
  });

  test("does not slow down by timers that come late", async () => {
    const sent = await arrange(10, 15).send(101);
    assert.deepEqual([sent[1], sent.at(-1)], [115, 10_015]);
  });

  test("does not make up for a time without requests", async () => {
    const { clock, send } = arrange(10);
    await send(2);
    clock.advance(10_000);
    assert.deepEqual(await send(3), [10_100, 10_200, 10_300]);
  });

  test("never lets more through in a second than it says, whatever happens", async () => {
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

describe("a refusal", () => {
  test("pauses all requests for as long as it asks", async () => {
    const { send } = arrange(10);
    await send(1, 429, "7");
    assert.deepEqual(await send(2), [7000, 7100]);
  });

  test("may name a date", async () => {
    const { send, now } = arrange(10);
    await send(1, 429, new Date(now() + 30_000).toUTCString());
    assert.deepEqual(await send(1), [30_000]);
    await send(1, 429, new Date(now() - 60_000).toUTCString());
    assert.deepEqual(await send(1), [30_200]);
  });

  test("without a time pauses for some requests' time, and longer each time in a row", async () => {
    const { send } = arrange(5);
    const sent = await send(10, 429);
    const pauses = sent.slice(1).map((time, index) => time - (sent[index] ?? 0));
    assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    await send(1);
    const [last] = await send(1, 429);
    assert.deepEqual(await send(1), [(last ?? 0) + 500], "an answer in between begins it anew");
  });

  test("is heard by those who wait already", async () => {
    const { gate, clock } = arrange(10);
    const first = await gate();
    const waiting = gate().then(() => clock.ticks());
    first(429, "3");
    assert.equal(await waiting, 3000);
  });

  test("of requests that were under way together counts once", async () => {
    const { gate, send } = arrange(1000);
    const tells = [await gate(), await gate(), await gate()];
    for (const tell of tells) tell(429);
    assert.deepEqual(await send(1), [102]);
  });

  test("is not forgotten because an earlier request went well", async () => {
    const { gate, send } = arrange(1000);
    const [one, other] = [await gate(), await gate()];
    one(429);
    other(200);
    const [second] = await send(1, 429);
    const [third] = await send(1);
    assert.equal((third ?? 0) - (second ?? 0), 200);
  });

  test("is what 503 with a time is too; other failures change nothing", async () => {
    const { send } = arrange(10);
    await send(1, 503, "2");
    assert.deepEqual(await send(1, 503), [2000]);
    assert.deepEqual(await send(1, 500, "9"), [2100]);
    assert.deepEqual(await send(1, 429, "soon"), [2200]);
    assert.deepEqual(await send(1), [2450]);
  });
});

describe("the end", () => {
  test("comes for a request whose turn would be after it, and costs it no waiting", async () => {
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

  test("of one run is not that of the next, and what the service asked for still holds", async () => {
    const { rateLimiter, now, send, clock } = arrange(10);
    await send(1, 429, "60");
    await assert.rejects(rateLimiter.gate(now() + 30_000)(), DeadlineReached);
    await rateLimiter.gate(now() + 90_000)();
    assert.equal(clock.ticks(), 60_000);
  });
});
