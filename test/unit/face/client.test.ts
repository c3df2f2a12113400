import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accessDenied,
  invalidDeviceCorrelationId,
  invalidMediaType,
  invalidRequestBody,
  invalidTokenLifetime,
  rateLimitExceeded,
  sessionNotFound,
} from "../../../src/api-errors.ts";
import { ApiError } from "../../../src/errors.ts";
import { readStream, retryPolicy } from "../../../src/face/client/transport.ts";
import {
  decodeErrorBody,
  faceResponseInvalid,
  invalidLivenessOperationMode,
  readThrottling,
} from "../../../src/face/errors.ts";
import { delayBeforeRetry } from "../../../src/retry.ts";
import documented from "../../fixtures/face-docs/errors.json" with { type: "json" };

const catalogue = [invalidRequestBody(), accessDenied(), sessionNotFound(), invalidMediaType(), rateLimitExceeded(26)];

test("the app's errors have the statuses, codes and messages of the documentation", () => {
  for (const { status, code, message } of catalogue) {
    const error = documented.bodies.find((body) => body.status === status)?.body.error;
    assert.ok(error);
    assert.equal(message, error.message);
    assert.equal(code, "code" in error ? error.code : String(error.statusCode));
  }
  const byField = [
    invalidTokenLifetime(),
    invalidLivenessOperationMode("v1.1-preview.1"),
    invalidDeviceCorrelationId(),
    invalidRequestBody(),
  ];
  assert.deepEqual(Object.fromEntries(byField.map(({ code, message }) => [code, message])), documented.messages);
  assert.ok(byField.every(({ status, details }) => status === 400 && details === undefined));
});

test("both error formats of the service are decoded, parsed or as text", () => {
  for (const { status, body } of documented.bodies) {
    const expected = "code" in body.error ? body.error.code : String(status);
    for (const form of [body, JSON.stringify(body)]) {
      const error = decodeErrorBody(status, form);
      assert.deepEqual([error.status, error.code, error.message], [status, expected, body.error.message]);
    }
  }
});

test("errors without an envelope, and wrapped errors, are decoded", () => {
  const bare = decodeErrorBody(401, { statusCode: 401, message: "Access denied." });
  assert.deepEqual([bare.code, bare.message], ["401", "Access denied."]);
  const innererror = { code: "UnsupportedFeature", message: "Missing approval." };
  const wrapped = decodeErrorBody(403, { error: { code: "InvalidRequest", message: "Invalid.", innererror } });
  assert.deepEqual([wrapped.status, wrapped.code, wrapped.message], [403, "UnsupportedFeature", "Missing approval."]);
});

test("without a code in the body, the header or the status is used", () => {
  for (const body of ["", "<html>Bad gateway</html>", undefined, null, [], 5, { error: "x" }, { error: { code: 7 } }]) {
    const error = decodeErrorBody(503, body);
    assert.deepEqual([error.status, error.code], [503, "503"]);
    assert.equal(error.message, "The Face service responded with status 503 and no message.");
    assert.equal(decodeErrorBody(503, body, { "x-ms-error-code": "Busy" }).code, "Busy");
  }
});

test("a code that a header cannot contain is not passed on", () => {
  assert.equal(decodeErrorBody(400, { error: { code: "a\r\nb", message: "m" } }).code, "400");
  assert.equal(decodeErrorBody(400, { error: { code: "x".repeat(129), message: "m" } }).code, "400");
  assert.equal(decodeErrorBody(400, { error: { code: "ok", message: "m".repeat(5000) } }).message.length, 1000);
});

test("Retry-After and the service's request id are passed on", () => {
  const date = "Wed, 21 Oct 2015 07:28:00 GMT";
  const { bodies } = documented;
  const throttled = bodies.find(({ status }) => status === 429)?.body;
  assert.equal(decodeErrorBody(429, throttled).retryAfter, "26");
  assert.equal(decodeErrorBody(429, throttled, { "retry-after": "5" }).retryAfter, "5");
  assert.equal(decodeErrorBody(503, "", { "retry-after": date }).retryAfter, date);
  assert.equal(decodeErrorBody(403, throttled).retryAfter, undefined);
  assert.equal(decodeErrorBody(429, "", { "retry-after": "5\u0080" }).retryAfter, undefined);
  const headers = { "apim-request-id": "r-1", "set-cookie": "no" };
  assert.deepEqual(decodeErrorBody(400, "", headers).headers, { "apim-request-id": "r-1" });
  assert.deepEqual(faceResponseInvalid(new Error("x"), headers).headers, { "apim-request-id": "r-1" });
});

test("429, and 503 with Retry-After, are throttling with the time to wait; other responses are not", () => {
  const nowMs = Date.parse("2015-10-21T07:28:00Z");
  const read = (status: number, retryAfter?: string) => readThrottling(status, retryAfter, nowMs);
  for (const status of [429, 503]) {
    assert.deepEqual(read(status, "7"), { waitMs: 7000 });
    assert.deepEqual(read(status, "Wed, 21 Oct 2015 07:28:30 GMT"), { waitMs: 30_000 });
    assert.deepEqual(read(status, "Wed, 21 Oct 2015 07:27:00 GMT"), { waitMs: 0 });
    assert.deepEqual(read(status, "soon"), {});
  }
  assert.deepEqual(read(429), {});
  assert.equal(read(503), undefined);
  for (const status of [200, 404, 500]) assert.equal(read(status, "9"), undefined);
});

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
