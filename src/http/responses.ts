import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";

/** Response of an endpoint. With none of `json`, `bytes` and `stream` the body is empty. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  json?: unknown;
  bytes?: Uint8Array;
  /** A body of unknown length, in pieces that are sent as they become available. A failure breaks the connection. */
  stream?: AsyncIterable<string>;
  /** How long everyone may cache the response, which must be the same for every caller. Default: no caching. */
  cacheSeconds?: number;
}

/** Status, headers and body as sent. Assignable to `HttpResponseInit` of the Functions library. */
export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  body?: Uint8Array;
  /** In place of `body`. */
  stream?: AsyncIterable<string>;
}

export function toHttpAnswer(reply: Reply): HttpAnswer {
  const body = reply.json === undefined ? reply.bytes : Buffer.from(JSON.stringify(reply.json));
  return {
    status: reply.status,
    headers: {
      ...(reply.json !== undefined && { "content-type": "application/json; charset=utf-8" }),
      ...(body !== undefined && { "content-length": String(body.byteLength) }),
      ...reply.headers,
      // Most responses contain personal data: they must not be cached, and browsers must not guess their type.
      "cache-control": reply.cacheSeconds === undefined ? "no-store" : `public, max-age=${reply.cacheSeconds}`,
      "x-content-type-options": "nosniff",
    },
    ...compact({ body, stream: reply.stream }),
  };
}

/**
 * Converts an error to a response in the shape of the Face API. For everything but an `ApiError` the response contains only
 * the invocation id, for a search in the log, and nothing of the cause.
 */
export function toErrorReply(error: unknown, invocationId = "none"): Reply {
  const known =
    error instanceof ApiError
      ? error
      : new ApiError(500, "InternalServerError", `Unexpected failure. Invocation id: ${invocationId}.`, {
          cause: error,
        });
  return {
    status: known.status,
    headers: { ...known.headers, ...compact({ "x-ms-error-code": known.code, "retry-after": known.retryAfter }) },
    json: {
      error: compact({
        code: known.code,
        // The service's gateway sends `statusCode` in place of a code, and clients use it to detect throttling.
        statusCode: known.status === 429 || known.code === String(known.status) ? known.status : undefined,
        message: known.message,
        details: known.details,
      }),
    },
  };
}
