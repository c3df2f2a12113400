import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RestError } from "@azure/data-tables";
import { ApiError } from "../../../../src/errors.ts";
import {
  defaultRetryPolicy,
  type StorageRetryPolicy,
  sendRequest,
} from "../../../../src/storage/azure/send-request.ts";

/** The policy without delays, and the delays that it requested. */
function arrange(overrides: Partial<StorageRetryPolicy> = {}): { policy: StorageRetryPolicy; slept: number[] } {
  const slept: number[] = [];
  const sleep = async (ms: number) => void slept.push(ms);
  return { policy: { ...defaultRetryPolicy, random: () => 0.999, sleep, ...overrides }, slept };
}

const busy = () => new RestError("busy", { statusCode: 503, code: "ServerBusy" });
const unavailable = (error: unknown) =>
  error instanceof ApiError && error.status === 503 && error.code === "StorageUnavailable";

describe("sendRequest", () => {
  test("transient failures -> retried, and retries are marked as repeated", async () => {
    const { policy, slept } = arrange();
    const marks: boolean[] = [];
    const answer = await sendRequest(policy, async (_signal, repeated) => {
      marks.push(repeated);
      if (marks.length < 3) throw busy();
      return "answer";
    });
    assert.equal(answer, "answer");
    assert.deepEqual(marks, [false, true, true]);
    assert.equal(slept.length, 2);
  });

  test("every retry fails -> 503 StorageUnavailable with cause and Retry-After", async () => {
    const { policy, slept } = arrange();
    const cause = busy();
    await assert.rejects(
      sendRequest(policy, () => Promise.reject(cause)),
      (error) => unavailable(error) && error instanceof ApiError && error.cause === cause && error.retryAfter === "5",
    );
    assert.equal(slept.length, 3);
  });

  test("permanent failure -> thrown without a retry", async () => {
    const { policy, slept } = arrange();
    for (const error of [
      new RestError("no", { statusCode: 403, code: "AuthorizationFailure" }),
      new TypeError("a bug"),
      new ApiError(412, "ConditionNotMet", "no"),
    ]) {
      await assert.rejects(
        sendRequest(policy, () => Promise.reject(error)),
        (thrown) => thrown === error,
      );
    }
    assert.equal(slept.length, 0);
  });

  test("every attempt times out -> aborted, retried once, then StorageUnavailable", async () => {
    const { policy } = arrange({ timeoutMs: 5 });
    let tries = 0;
    const stalled = (signal: AbortSignal) => {
      tries++;
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    await assert.rejects(sendRequest(policy, stalled), unavailable);
    assert.equal(tries, 2);
  });
});
