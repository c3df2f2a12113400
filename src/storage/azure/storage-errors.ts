import { ApiError } from "../../errors.ts";

/** Status and code of a failed request. */
export interface StorageFailure {
  /** Absent: there was no answer. */
  status: number | undefined;
  /** The service's own code, such as `EntityAlreadyExists`. */
  code: string | undefined;
}

/** A body that broke off while it was read, or an answer that did not come in time. Worth another try. */
export class TransportError extends Error {
  override readonly name = "TransportError";
}

/**
 * Reads status and code of what an SDK threw; undefined where it is no failed request. The code stands in
 * `details.odataError` after a single operation on a table, in `code` after a transaction and after a blob operation,
 * and in `details.errorCode` after a HEAD of a blob, which has no body.
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

/** Whether the same request may do better in a moment: no answer, throttling, a time-out, or a fault of the service. */
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
