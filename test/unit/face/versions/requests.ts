import assert from "node:assert/strict";
import { ApiError } from "../../../../src/errors.ts";
import type { BodyPart, RequestBody } from "../../../../src/face/codec.ts";
import type { ApiVersion } from "../../../../src/face/model.ts";

export const json = (value: unknown): RequestBody => ({ type: "json", value });
export const multipart = (...parts: BodyPart[]): RequestBody => ({ type: "multipart", parts });

/** The smallest complete body of a session without verify. */
export function minimalBody(version: ApiVersion) {
  const hasUsers = version === "v1.3-preview.1";
  return {
    ...{ livenessOperationMode: "Passive", deviceCorrelationId: "a-device" },
    ...(hasUsers && { userCorrelationId: "a-user" }),
  };
}

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
