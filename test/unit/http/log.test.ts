import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { createLog, describeError } from "../../../src/http/log.ts";
import { createInvocation } from "../fakes/invocation.ts";

test("a line of the log is one JSON object on one line, with its level", () => {
  const { context, lines } = createInvocation();
  const log = createLog(context);
  log.info("Started");
  log.warn("Strange", { part: "tables", count: 2, done: false, missing: undefined });
  log.error("Broken", { message: 'two\nlines and a "quote"' });
  const logged = lines.map(({ level, fields }) => [level, fields]);
  assert.deepEqual(logged, [
    ["information", { event: "Started" }],
    ["warning", { event: "Strange", part: "tables", count: 2, done: false }],
    ["error", { event: "Broken", message: 'two\nlines and a "quote"' }],
  ]);
  for (const { text } of lines) assert.equal(text.includes("\n"), false);
});

describe("an error in the log", () => {
  test("has name, message, codes and stack", () => {
    const error = Object.assign(new TypeError("no table"), { code: "TableNotFound", statusCode: 404 });
    const { stack, ...fields } = describeError(error);
    assert.deepEqual(fields, { error: "TypeError", message: "no table", code: "TableNotFound", statusCode: 404 });
    assert.match(String(stack), /log\.test\.ts/);
  });

  test("has its cause as one line", () => {
    const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    assert.equal(describeError(new Error("fetch failed", { cause })).cause, "Error: refused ECONNREFUSED");
    assert.equal(describeError(new Error("outer", { cause: "s3cr3t" })).cause, "string");
  });

  test("has no other properties of an SDK's error", () => {
    const request = { headers: { "ocp-apim-subscription-key": "s3cr3t" }, body: "s3cr3t" };
    const cause = Object.assign(new Error("inner"), { request, response: request, details: { key: "s3cr3t" } });
    const error = Object.assign(new Error("outer", { cause }), { request, code: { secret: "s3cr3t" } });
    assert.equal(JSON.stringify(describeError(error)).includes("s3cr3t"), false);
  });

  test("may be any thrown value", () => {
    assert.deepEqual(describeError("s3cr3t"), { error: "string" });
    assert.deepEqual(describeError(undefined), { error: "undefined" });
    assert.equal(describeError(new ApiError(503, "ServerBusy", "Busy.")).code, "ServerBusy");
  });

  test("may have a circular cause", () => {
    const error = new Error("round and round");
    error.cause = error;
    assert.equal(describeError(error).cause, "Error: round and round");
  });
});
