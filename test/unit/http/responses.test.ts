import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rateLimitExceeded, sessionNotFound } from "../../../src/api-errors.ts";
import { ApiError } from "../../../src/errors.ts";
import { type Reply, toErrorReply, toHttpAnswer } from "../../../src/http/responses.ts";
import { readAnswer } from "../fakes/invocation.ts";

const answerOf = (reply: Reply) => readAnswer(toHttpAnswer(reply));
const errorAnswer = (error: unknown) => answerOf(toErrorReply(error, "an-invocation-id"));

describe("a response", () => {
  test("with JSON has content type and length", () => {
    const answer = answerOf({ status: 200, json: { name: "ä👩" } });
    assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
    assert.deepEqual(answer.json, { name: "ä👩" });
    assert.equal(answer.headers.get("content-length"), String(Buffer.byteLength('{"name":"ä👩"}')));
  });

  test("may be any JSON value", () => {
    for (const json of [[], {}, null, 0, "", false]) assert.deepEqual(answerOf({ status: 200, json }).json, json);
  });

  test("with bytes has the endpoint's content type", () => {
    const bytes = Uint8Array.from([0, 255, 10]);
    const answer = answerOf({ status: 200, bytes, headers: { "content-type": "image/png" } });
    assert.deepEqual(answer.bytes, Buffer.from(bytes));
    assert.equal(answer.headers.get("content-type"), "image/png");
    assert.equal(answer.headers.get("content-length"), "3");
  });

  test("without a body has no content headers", () => {
    const { headers, body } = toHttpAnswer({ status: 204 });
    assert.equal(body, undefined);
    assert.equal(new Headers(headers).has("content-type"), false);
    assert.equal(new Headers(headers).has("content-length"), false);
  });

  test("always has the security headers, which endpoints cannot override", () => {
    const headers = { "cache-control": "public", "x-content-type-options": "sniff" };
    for (const reply of [{ status: 204 }, { status: 200, json: {} }, { status: 200, json: {}, headers }]) {
      const answer = answerOf(reply);
      assert.equal(answer.headers.get("cache-control"), "no-store");
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    }
  });
});

test("a response that is the same for every caller may be cached for the endpoint's time, also without a body", () => {
  for (const reply of [{ status: 200, json: {} }, { status: 204 }]) {
    const { headers } = answerOf({ ...reply, cacheSeconds: 60 });
    assert.equal(headers.get("cache-control"), "public, max-age=60");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  }
});

describe("an error", () => {
  test("has the shape of the Face API's errors", () => {
    const answer = errorAnswer(sessionNotFound());
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get("x-ms-error-code"), "SessionNotFound");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.equal(answer.headers.get("content-length"), String(answer.bytes.byteLength));
    const message = "Session Id is not found. The session id is expired or does not exist.";
    assert.deepEqual(answer.json, { error: { code: "SessionNotFound", message } });
  });

  test("has its details and headers, and does not disclose its cause", () => {
    const details = [{ code: "InvalidField", message: "Must be a number.", target: "top" }];
    const headers = { allow: "GET", "x-ms-error-code": "Overwritten" };
    const cause = new Error("s3cr3t");
    const answer = errorAnswer(new ApiError(400, "BadArgument", "Invalid argument.", { details, headers, cause }));
    assert.deepEqual(answer.json, { error: { code: "BadArgument", message: "Invalid argument.", details } });
    assert.equal(answer.headers.get("allow"), "GET");
    assert.equal(answer.headers.get("x-ms-error-code"), "BadArgument");
  });

  test("has at most 16 details, each with a target of at most 64 characters", () => {
    const detail = (target: string) => ({ code: "UnknownField", message: "Unknown field.", target });
    const details = ["\u{1F469}".repeat(1000), `x${"\u{1F469}".repeat(1000)}`, ...Array(1000).fill("y")].map(detail);
    const { json } = errorAnswer(new ApiError(400, "InvalidRequestBody", "Broken.", { details }));
    const targets = ["\u{1F469}".repeat(32), `x${"\u{1F469}".repeat(31)}\ufffd`, ...Array<string>(14).fill("y")];
    const shown = targets.map(detail);
    assert.deepEqual(json, { error: { code: "InvalidRequestBody", message: "Broken.", details: shown } });
  });

  test("of status 429 has statusCode and Retry-After", () => {
    const answer = errorAnswer(rateLimitExceeded(26));
    assert.equal(answer.headers.get("retry-after"), "26");
    assert.deepEqual(answer.json, {
      error: { code: "429", statusCode: 429, message: "Rate limit is exceeded. Try again in 26 seconds." },
    });
    const named = errorAnswer(new ApiError(429, "TooManyRequests", "Slow down.", { retryAfter: "1" }));
    assert.deepEqual(named.json, { error: { code: "TooManyRequests", statusCode: 429, message: "Slow down." } });
  });

  test("of the service's gateway has statusCode", () => {
    const answer = errorAnswer(new ApiError(403, "403", "Out of quota."));
    assert.deepEqual(answer.json, { error: { code: "403", statusCode: 403, message: "Out of quota." } });
    assert.equal(answer.headers.has("retry-after"), false);
  });

  test("passes on Retry-After unchanged", () => {
    const retryAfter = "Wed, 21 Oct 2026 07:28:00 GMT";
    const { headers } = errorAnswer(new ApiError(503, "ServerBusy", "Busy.", { retryAfter }));
    assert.equal(headers.get("retry-after"), retryAfter);
  });

  test("that is unexpected discloses only the invocation id", () => {
    const secret = "s3cr3t";
    class Leaky extends Error {
      override name = secret;
      code = secret;
      status = 418;
      statusCode = 418;
      details = [{ code: secret, message: secret, target: secret }];
      headers = { [secret]: secret };
    }
    const cause = new ApiError(400, secret, secret);
    for (const error of [new Leaky(secret, { cause }), secret, { message: secret, status: 400 }, undefined, null]) {
      const response = toHttpAnswer(toErrorReply(error, "an-invocation-id"));
      const answer = readAnswer(response);
      assert.equal(answer.status, 500);
      const message = "Unexpected failure. Invocation id: an-invocation-id.";
      assert.deepEqual(answer.json, { error: { code: "InternalServerError", message } });
      assert.equal(JSON.stringify([response, answer.text, [...answer.headers]]).includes(secret), false);
    }
  });
});
