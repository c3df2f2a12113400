import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RestError } from "@azure/data-tables";
import { ApiError } from "../../../src/errors.ts";
import { backoff, defaultPatience, type Patience, persist } from "../../../src/storage/retry.ts";

/** Patience that sleeps no time, and what it would have slept. */
function swiftPatience(overrides: Partial<Patience> = {}): { patience: Patience; slept: number[] } {
  const slept: number[] = [];
  const sleep = async (ms: number) => void slept.push(ms);
  return { patience: { ...defaultPatience, random: () => 0.999, sleep, ...overrides }, slept };
}

const busy = () => new RestError("busy", { statusCode: 503, code: "ServerBusy" });
const unavailable = (error: unknown) =>
  error instanceof ApiError && error.status === 503 && error.code === "StorageUnavailable";

describe("persist", () => {
  it("asks again after a failure that may pass, and says so", async () => {
    const { patience, slept } = swiftPatience();
    const told: boolean[] = [];
    const answer = await persist(patience, async (_signal, repeated) => {
      told.push(repeated);
      if (told.length < 3) throw busy();
      return "answer";
    });
    assert.equal(answer, "answer");
    assert.deepEqual(told, [false, true, true]);
    assert.equal(slept.length, 2);
  });

  it("gives up after the last retry, with the cause and a time to come again", async () => {
    const { patience, slept } = swiftPatience();
    const cause = busy();
    await assert.rejects(
      persist(patience, () => Promise.reject(cause)),
      (error) => unavailable(error) && error instanceof ApiError && error.cause === cause && error.retryAfter === "5",
    );
    assert.equal(slept.length, 3);
  });

  it("passes on at once what another try would not change", async () => {
    const { patience, slept } = swiftPatience();
    for (const error of [
      new RestError("no", { statusCode: 403, code: "AuthorizationFailure" }),
      new TypeError("a fault of ours"),
      new ApiError(412, "ConditionNotMet", "no"),
    ]) {
      await assert.rejects(
        persist(patience, () => Promise.reject(error)),
        (thrown) => thrown === error,
      );
    }
    assert.equal(slept.length, 0);
  });

  it("ends a try that takes too long, and repeats it once", async () => {
    const { patience } = swiftPatience({ timeoutMs: 5 });
    let tries = 0;
    const stalled = (signal: AbortSignal) => {
      tries++;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    await assert.rejects(persist(patience, stalled), unavailable);
    assert.equal(tries, 2);
  });
});

describe("backoff", () => {
  it("doubles up to its cap, and keeps within half of it", () => {
    const delays = [1, 2, 3, 10].map((retry) => backoff(retry, { ...defaultPatience, random: () => 0 }));
    assert.deepEqual(delays, [50, 100, 200, 1000]);
    const longest = [1, 2, 3, 10].map((retry) => backoff(retry, { ...defaultPatience, random: () => 1 }));
    assert.deepEqual(longest, [100, 200, 400, 2000]);
  });
});
