import assert from "node:assert/strict";
import { test } from "node:test";
import { RestError } from "@azure/data-tables";
import {
  isTransient,
  readFailure,
  storageUnavailable,
  TransportError,
} from "../../../../src/storage/azure/storage-errors.ts";

const detailed = (statusCode: number, details: object) =>
  Object.assign(new RestError("{…}", { statusCode }), { details });

for (const [what, error, failure] of [
  [
    "an error of an entity",
    detailed(409, { odataError: { code: "EntityAlreadyExists" } }),
    { status: 409, code: "EntityAlreadyExists" },
  ],
  [
    "an error of a transaction",
    new RestError("0:…", { statusCode: 412, code: "UpdateConditionNotSatisfied" }),
    { status: 412, code: "UpdateConditionNotSatisfied" },
  ],
  ["an error of a blob", detailed(404, { errorCode: "BlobNotFound" }), { status: 404, code: "BlobNotFound" }],
  ["no response", new RestError("hang up", { code: "ECONNRESET" }), { status: undefined, code: "ECONNRESET" }],
  ...[new Error("x"), { statusCode: 404 }, "404", undefined, null].map(
    (other) => [`${other}`, other, undefined] as const,
  ),
] as const) {
  test(`readFailure: ${what} -> ${JSON.stringify(failure)}`, () => assert.deepEqual(readFailure(error), failure));
}

test("isTransient: 408, 429, 5xx, connection and transport errors -> true; 4xx, 501 and other errors -> false", () => {
  const ofStatus = (statusCode: number) => new RestError("", { statusCode });
  const transient = [408, 429, 500, 502, 503, 504].map(ofStatus);
  for (const error of [...transient, new RestError("", { code: "ECONNREFUSED" }), new TransportError("broke off")]) {
    assert.ok(isTransient(error), String(error));
  }
  const lasting = [400, 401, 403, 404, 409, 412, 413, 501].map(ofStatus);
  for (const error of [...lasting, new TypeError("x")]) assert.ok(!isTransient(error), String(error));
});

test("storageUnavailable: Retry-After of the response -> passed on; default 5 seconds", () => {
  const headers = new Headers({ "retry-after": "17" });
  const cause = Object.assign(new Error("busy"), { response: { headers } });
  assert.equal(storageUnavailable(cause).retryAfter, "17");
  assert.equal(storageUnavailable(new Error("gone")).retryAfter, "5");
});
