import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { callRepeatedly, delayBefore, endWithin, readStream } from "../../../src/face/calls.ts";

const longEnough = 60_000;
const tooLate = () => new Error("too late");
const failing = (status: number, retryAfter?: string, code = "Code") =>
  new ApiError(status, code, "m", retryAfter === undefined ? {} : { retryAfter });

test("a call is worth repeating while it fails for reasons that pass", () => {
  for (const status of [408, 429, 500, 502, 503]) assert.equal(delayBefore(failing(status), 0), 200);
  assert.equal(delayBefore(failing(500), 1), 400);
  for (const status of [400, 401, 403, 404, 415, 501, 504]) assert.equal(delayBefore(failing(status), 0), undefined);
  assert.equal(delayBefore(new Error("a defect"), 0), undefined);
  assert.equal(delayBefore(failing(502, undefined, "FaceResponseInvalid"), 0), undefined);
});

test("a wait of a second is obeyed, a longer one goes on to the caller", () => {
  assert.equal(delayBefore(failing(429, "1"), 0), 1000);
  assert.equal(delayBefore(failing(503, "0"), 0), 200);
  for (const wait of ["2", "26", "86400", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"]) {
    assert.equal(delayBefore(failing(429, wait), 0), undefined);
  }
});

test("a call is made three times at most", async () => {
  let calls = 0;
  const call = async (repeats: number) => {
    assert.equal(repeats, calls);
    calls += 1;
    throw failing(500, "0");
  };
  await assert.rejects(callRepeatedly(call, undefined), { status: 500 });
  assert.equal(calls, 3);
});

test("waiting for the next call ends with its signal", async () => {
  const controller = new AbortController();
  const call = async () => {
    controller.abort();
    throw failing(429, "1");
  };
  await assert.rejects(callRepeatedly(call, controller.signal), { name: "AbortError" });
});

test("work that takes too long, or ignores its end, is given up", async () => {
  let signal: AbortSignal | undefined;
  const work = (given: AbortSignal) => {
    signal = given;
    return new Promise<never>(() => undefined);
  };
  await assert.rejects(endWithin(1, tooLate, undefined, work), /too late/);
  assert.equal(signal?.aborted, true);
});

test("the caller's signal ends work with its own reason, before or after it began", async () => {
  const controller = new AbortController();
  const pending = endWithin(longEnough, tooLate, controller.signal, () => new Promise<never>(() => undefined));
  controller.abort(new Error("gave up"));
  await assert.rejects(pending, /gave up/);
  const never = () => assert.fail("the work must not begin");
  await assert.rejects(endWithin(longEnough, tooLate, controller.signal, never), /gave up/);
});

test("work that ends in time is answered, or fails, as it does", async () => {
  assert.equal(await endWithin(longEnough, tooLate, undefined, async () => "done"), "done");
  const failed = endWithin(longEnough, tooLate, undefined, async () => assert.fail("broken"));
  await assert.rejects(failed, /broken/);
});

test("a stream is read up to its limit", async () => {
  async function* stream() {
    yield Uint8Array.of(1, 2);
    yield Uint8Array.of(3);
  }
  assert.deepEqual([...(await readStream(stream(), 3))], [1, 2, 3]);
  assert.equal((await readStream(undefined, 0)).length, 0);
  await assert.rejects(readStream(stream(), 2), RangeError);
});
