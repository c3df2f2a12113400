import assert from "node:assert/strict";
import { ApiError } from "../../../../src/errors.ts";

/** The `ApiError` that `call` throws. */
export function refusalOf(call: () => unknown): ApiError {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof ApiError, `expected an ApiError, got ${error}`);
    return error;
  }
  assert.fail("expected an ApiError, got an answer");
}

/** Asserts that `call` is refused with 400, this code, and details for these fields in this order. */
export function assertRefused(call: () => unknown, code: string, ...targets: string[]): void {
  const error = refusalOf(call);
  assert.deepEqual(
    { status: error.status, code: error.code, targets: error.details?.map(({ target }) => target) ?? [] },
    { status: 400, code, targets },
  );
}
