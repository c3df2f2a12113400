import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import { readStream, retryPolicy } from "../../../../src/face/client/transport.ts";
import { delayBeforeRetry } from "../../../../src/retry.ts";

const failing = (status: number, retryAfter?: string, code = "Code") =>
  new ApiError(status, code, "m", retryAfter === undefined ? {} : { retryAfter });
const delayBefore = (error: unknown, retries: number) => delayBeforeRetry(retryPolicy, error, retries);

test("transient failures of the service are retried twice", () => {
  for (const status of [408, 429, 500, 502, 503]) assert.equal(delayBefore(failing(status), 0), 200);
  assert.equal(delayBefore(failing(500), 1), 400);
  assert.equal(delayBefore(failing(500), 2), undefined);
  for (const status of [400, 401, 403, 404, 415, 501, 504]) assert.equal(delayBefore(failing(status), 0), undefined);
  assert.equal(delayBefore(new Error("a defect"), 0), undefined);
  for (const code of ["FaceResponseInvalid", "FaceCredentialFailed", "FaceCredentialsRejected"]) {
    assert.equal(delayBefore(failing(502, undefined, code), 0), undefined);
  }
});

test("a Retry-After of up to one second is obeyed; with a longer one there is no retry", () => {
  assert.equal(delayBefore(failing(429, "1"), 0), 1000);
  assert.equal(delayBefore(failing(503, "0"), 0), 200);
  assert.equal(delayBefore(failing(503, "Wed, 21 Oct 2015 07:28:00 GMT"), 0), 200);
  for (const wait of ["2", "26", "86400", "Wed, 21 Oct 2115 07:28:00 GMT", "soon"]) {
    assert.equal(delayBefore(failing(429, wait), 0), undefined);
  }
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
