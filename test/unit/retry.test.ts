import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backoff, type RetryPolicy, retryAfterMs, sleep, withRetry, withTimeout } from "../../src/retry.ts";

const longEnough = 60_000;
const timeoutError = () => new Error("timed out");
const isTransient = (error: unknown) => error instanceof Error && error.message === "transient";
const policy: RetryPolicy = { retries: 2, firstDelayMs: 100, maxDelayMs: 2000, random: () => 1, sleep, isTransient };

/** The policy without delays, and the requested delays. */
function arrange(overrides: Partial<RetryPolicy> = {}) {
  const slept: number[] = [];
  return { slept, policy: { ...policy, sleep: async (ms: number) => void slept.push(ms), ...overrides } };
}

describe("withRetry", () => {
  test("retries transient failures, passes the number of earlier attempts, and throws the last failure", async () => {
    const { policy, slept } = arrange();
    const attempts: number[] = [];
    const failure = new Error("transient");
    const operation = async (retries: number) => {
      attempts.push(retries);
      throw failure;
    };
    await assert.rejects(withRetry(policy, operation), (error) => error === failure);
    assert.deepEqual(attempts, [0, 1, 2]);
    assert.deepEqual(slept, [100, 200]);
    assert.equal(await withRetry(policy, async () => "done"), "done");
  });

  test("does not retry a lasting failure", async () => {
    const { policy, slept } = arrange();
    const broken = withRetry(policy, async () => assert.fail("broken"));
    await assert.rejects(broken, /broken/);
    assert.deepEqual(slept, []);
  });

  test("obeys Retry-After up to the longest delay", async () => {
    const failing = () => Promise.reject(new Error("transient"));
    const short = arrange({ retryAfterOf: () => "2" });
    await assert.rejects(withRetry(short.policy, failing));
    assert.deepEqual(short.slept, [2000, 2000]);
    const long = arrange({ retryAfterOf: () => "3" });
    await assert.rejects(withRetry(long.policy, failing));
    assert.deepEqual(long.slept, []);
  });

  test("ends a delay with its signal", async () => {
    const controller = new AbortController();
    const operation = async () => {
      controller.abort();
      throw new Error("transient");
    };
    const ended = withRetry({ ...policy, firstDelayMs: longEnough }, operation, controller.signal);
    await assert.rejects(ended, { name: "AbortError" });
  });
});

test("backoff doubles up to its cap, and keeps within half of it", () => {
  const delays = [1, 2, 3, 10].map((retry) => backoff(retry, { ...policy, random: () => 0 }));
  assert.deepEqual(delays, [50, 100, 200, 1000]);
  const longest = [1, 2, 3, 10].map((retry) => backoff(retry, { ...policy, random: () => 1 }));
  assert.deepEqual(longest, [100, 200, 400, 2000]);
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
    test(`of "${value}" is ${expected}`, () => assert.equal(retryAfterMs(value, nowMs), expected));
  }
});

describe("withTimeout", () => {
  test("ends an operation after the timeout, even if it ignores its signal", async () => {
    let signal: AbortSignal | undefined;
    const operation = (given: AbortSignal) => {
      signal = given;
      return new Promise<never>(() => undefined);
    };
    await assert.rejects(withTimeout(1, timeoutError, operation), /timed out/);
    assert.equal(signal?.aborted, true);
  });

  test("throws the timeout's error, not the error of the aborted operation", async () => {
    const operation = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
    await assert.rejects(withTimeout(1, timeoutError, operation), /timed out/);
  });

  test("throws the reason of the outer signal, before or after the start", async () => {
    const controller = new AbortController();
    const pending = withTimeout(longEnough, timeoutError, () => new Promise<never>(() => undefined), controller.signal);
    controller.abort(new Error("gave up"));
    await assert.rejects(pending, /gave up/);
    const never = () => assert.fail("the operation must not begin");
    await assert.rejects(withTimeout(longEnough, timeoutError, never, controller.signal), /gave up/);
  });

  test("returns the result or throws the error of an operation that ends in time", async () => {
    assert.equal(await withTimeout(longEnough, timeoutError, async () => "done"), "done");
    const failed = withTimeout(longEnough, timeoutError, async () => assert.fail("broken"));
    await assert.rejects(failed, /broken/);
  });
});
