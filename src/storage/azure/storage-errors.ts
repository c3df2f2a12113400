import { ApiError } from "../../errors.ts";

/** Status and code of a failed request. */
export interface StorageFailure {
  /** Undefined: no response. */
  status: number | undefined;
  /** The service's own code, such as `EntityAlreadyExists`. */
  code: string | undefined;
}

/** Connection lost while a body was read, incomplete response, or timeout. Transient. */
export class TransportError extends Error {
  override readonly name = "TransportError";
}

/**
 * Status and code of an SDK's error; undefined if it is not a failed request. The code is in `details.odataError` after a
 * single operation on a table, in `code` after a transaction or a blob operation, and in `details.errorCode` after a HEAD
 * of a blob, whose response has no body.
 */
export function readFailure(error: unknown): StorageFailure | undefined {
  if (!(error instanceof Error) || error.name !== "RestError") return undefined;
  const details = field(error, "details");
  const code = field(field(details, "odataError"), "code") ?? field(error, "code") ?? field(details, "errorCode");
  const status = field(error, "statusCode");
  return {
    status: typeof status === "number" ? status : undefined,
    code: typeof code === "string" ? code : undefined,
  };
}

/** Whether a retry may succeed: no response, throttling, timeout, or a failure of the service. */
export function isTransient(error: unknown): boolean {
  if (error instanceof TransportError) return true;
  const failure = readFailure(error);
  if (failure === undefined) return false;
  return failure.status === undefined || [408, 429, 500, 502, 503, 504].includes(failure.status);
}

/** 503 after all retries. */
export function storageUnavailable(cause: unknown): ApiError {
  const message = "The storage behind this service cannot be reached at the moment. Please try again later.";
  return new ApiError(503, "StorageUnavailable", message, { retryAfter: retryAfter(cause) ?? "5", cause });
}

function retryAfter(error: unknown): string | undefined {
  const headers = field(field(error, "response"), "headers");
  const get = field(headers, "get");
  if (typeof get !== "function") return undefined;
  const value: unknown = get.call(headers, "retry-after");
  return typeof value === "string" && value !== "" ? value : undefined;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined;
}
