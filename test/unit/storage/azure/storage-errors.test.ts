import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RestError } from "@azure/data-tables";
import {
  isTransient,
  readFailure,
  storageUnavailable,
  TransportError,
} from "../../../../src/storage/azure/storage-errors.ts";

describe("readFailure", () => {
  test("error of an entity, a transaction or a blob -> status and code", () => {
    const single = Object.assign(new RestError("{…}", { statusCode: 409 }), {
      details: { odataError: { code: "EntityAlreadyExists" } },
    });
    const transaction = new RestError("0:…", { statusCode: 412, code: "UpdateConditionNotSatisfied" });
    const head = Object.assign(new RestError("", { statusCode: 404 }), { details: { errorCode: "BlobNotFound" } });
    assert.deepEqual(readFailure(single), { status: 409, code: "EntityAlreadyExists" });
    assert.deepEqual(readFailure(transaction), { status: 412, code: "UpdateConditionNotSatisfied" });
    assert.deepEqual(readFailure(head), { status: 404, code: "BlobNotFound" });
  });

  test("no response -> code without status", () => {
    assert.deepEqual(readFailure(new RestError("hang up", { code: "ECONNRESET" })), {
      status: undefined,
      code: "ECONNRESET",
    });
  });

  test("any other error -> undefined", () => {
    for (const other of [new Error("x"), { statusCode: 404 }, "404", undefined, null]) {
      assert.equal(readFailure(other), undefined);
    }
  });
});

describe("isTransient", () => {
  test("408, 429, 5xx, connection and transport errors -> true", () => {
    for (const statusCode of [408, 429, 500, 502, 503, 504]) {
      assert.ok(isTransient(new RestError("", { statusCode })));
    }
    assert.ok(isTransient(new RestError("", { code: "ECONNREFUSED" })));
    assert.ok(isTransient(new TransportError("broke off")));
  });

  test("4xx, 501 and other errors -> false", () => {
    for (const statusCode of [400, 401, 403, 404, 409, 412, 413, 501]) {
      assert.ok(!isTransient(new RestError("", { statusCode })));
    }
    assert.ok(!isTransient(new TypeError("x")));
  });
});

test("storageUnavailable: Retry-After of the response -> passed on; default 5 seconds", () => {
  const headers = new Headers({ "retry-after": "17" });
  const cause = Object.assign(new Error("busy"), { response: { headers } });
  assert.equal(storageUnavailable(cause).retryAfter, "17");
  assert.equal(storageUnavailable(new Error("gone")).retryAfter, "5");
});
