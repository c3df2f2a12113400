import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backoff, type RetryPolicy, retryAfterMs, sleep, withRetry, withTimeout } from "../../src/retry.ts";

const longEnough = 60_000;
const timeoutError = () => new Error("timed out");
const isTransient = (error: unknown) => error instanceof Error && error.message === "transient";
const policy: RetryPolicy = { retries: 2, firstDelayMs: 100, maxDelayMs: 2000, random: () => 1, sleep, isTransient };

/** The policy without delays, and the delays that it requested. */
function arrange(overrides: Partial<RetryPolicy> = {}) {
  const slept: number[] = [];
  return { slept, policy: { ...policy, sleep: async (ms: number) => void slept.push(ms), ...overrides } };
}

describe("withRetry", () => {
  test("transient failures -> retried with the number of earlier attempts, then the last failure is thrown", async () => {
    const { policy, slept } = arrange();
    const attempts: number[] = [];
    const failure = new Error("transient");
    const operation = async (retries: number) => {
      attempts.push(retries);
      throw failure;
    };
    await assert.rejects(withRetry(policy, operation), (error) => error === failure);
    assert.deepEqual(
      [attempts, slept],
      [
        [0, 1, 2],
        [100, 200],
      ],
    );
    assert.equal(await withRetry(policy, async () => "done"), "done");
  });

  test("permanent failure -> not retried", async () => {
    const { policy, slept } = arrange();
    await assert.rejects(
      withRetry(policy, async () => assert.fail("broken")),
      /broken/,
    );
    assert.deepEqual(slept, []);
  });

  test("Retry-After within the maximum delay -> waited for; longer -> not retried", async () => {
    const failing = () => Promise.reject(new Error("transient"));
    const short = arrange({ retryAfterOf: () => "2" });
    await assert.rejects(withRetry(short.policy, failing));
    assert.deepEqual(short.slept, [2000, 2000]);
    const long = arrange({ retryAfterOf: () => "3" });
    await assert.rejects(withRetry(long.policy, failing));
    assert.deepEqual(long.slept, []);
  });

  test("signal aborted during a delay -> AbortError", async () => {
    const controller = new AbortController();
    const operation = async () => {
      controller.abort();
      throw new Error("transient");
    };
    await assert.rejects(withRetry({ ...policy, firstDelayMs: longEnough }, operation, controller.signal), {
      name: "AbortError",
    });
  });
});

describe("backoff", () => {
  test("retries -> delay doubles up to the maximum, reduced by at most half", () => {
    const delays = [1, 2, 3, 10].map((retry) => backoff(retry, { ...policy, random: () => 0 }));
    assert.deepEqual(delays, [50, 100, 200, 1000]);
    const longest = [1, 2, 3, 10].map((retry) => backoff(retry, { ...policy, random: () => 1 }));
    assert.deepEqual(longest, [100, 200, 400, 2000]);
  });
});

describe("retryAfterMs", () => {
  const nowMs = Date.parse("2026-03-05T10:00:00Z");
  for (const [value, expected] of [
    ["0", 0],
    [" 7 ", 7000],
    ["Thu, 05 Mar 2026 10:00:30 GMT", 30_000],
    ["Thu, 05 Mar 2026 09:59:00 GMT", 0],
    ["soon", undefined],
    ["", undefined],
  ] as const) {
    test(`"${value}" -> ${expected}`, () => assert.equal(retryAfterMs(value, nowMs), expected));
  }
});

describe("withTimeout", () => {
  test("operation too long, signal ignored -> timeout error, signal aborted", async () => {
    let signal: AbortSignal | undefined;
    const operation = (given: AbortSignal) => {
      signal = given;
      return new Promise<never>(() => undefined);
    };
    await assert.rejects(withTimeout(1, timeoutError, operation), /timed out/);
    assert.equal(signal?.aborted, true);
  });

  test("operation throws when aborted -> timeout error", async () => {
    const operation = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    await assert.rejects(withTimeout(1, timeoutError, operation), /timed out/);
  });

  test("outer signal aborted, before or during the operation -> reason of the signal", async () => {
    const controller = new AbortController();
    const pending = withTimeout(longEnough, timeoutError, () => new Promise<never>(() => undefined), controller.signal);
    controller.abort(new Error("canceled"));
    await assert.rejects(pending, /canceled/);
    const never = () => assert.fail("the operation must not begin");
    await assert.rejects(withTimeout(longEnough, timeoutError, never, controller.signal), /canceled/);
  });

  test("operation ends in time -> its result or failure", async () => {
    assert.equal(await withTimeout(longEnough, timeoutError, async () => "done"), "done");
    const failed = withTimeout(longEnough, timeoutError, async () => assert.fail("broken"));
    await assert.rejects(failed, /broken/);
  });
});
