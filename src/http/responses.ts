import { ApiError } from "../errors.ts";

/** What an endpoint answers. With neither `json` nor `bytes` the body is empty. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  json?: unknown;
  bytes?: Uint8Array;
}

/** Answers are about one person's face: no cache keeps them, no browser guesses at them. */
const securityHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** A reply as it goes out. A `HttpResponseInit` of the Functions library. */
export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  body?: Uint8Array;
}

export function toHttpAnswer(reply: Reply): HttpAnswer {
  const body = reply.json === undefined ? reply.bytes : Buffer.from(JSON.stringify(reply.json));
  return {
    status: reply.status,
    headers: {
      ...(reply.json !== undefined && { "content-type": "application/json; charset=utf-8" }),
      ...(body !== undefined && { "content-length": String(body.byteLength) }),
      ...reply.headers,
      ...securityHeaders,
    },
    ...(body !== undefined && { body }),
  };
}

/**
 * The one place where an error becomes an answer, in the shape of the Face API. Anything but an `ApiError` is unforeseen:
 * the caller gets the invocation's id, by which the log is searched, and nothing of the cause.
 */
export function toErrorReply(error: unknown, invocationId = "none"): Reply {
  const known =
    error instanceof ApiError
      ? error
      : new ApiError(500, "InternalServerError", `Something went wrong here. Invocation id: ${invocationId}.`, {
          cause: error,
        });
  return {
    status: known.status,
    headers: {
      ...known.headers,
      "x-ms-error-code": known.code,
      ...(known.retryAfter !== undefined && { "retry-after": known.retryAfter }),
    },
    json: {
      error: {
        code: known.code,
        // The service's gateway has this instead of a code, and throttled callers look for it.
        ...((known.status === 429 || known.code === String(known.status)) && { statusCode: known.status }),
        message: known.message,
        ...(known.details !== undefined && { details: known.details }),
      },
    },
  };
}
