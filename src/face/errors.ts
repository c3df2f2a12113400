import { badRequest } from "../api-errors.ts";
import { compact } from "../compact.ts";
import { ApiError, type ErrorDetail } from "../errors.ts";
import { retryAfterMs } from "../retry.ts";
import { isRecord } from "./json.ts";
import type { ApiVersion } from "./model.ts";

/** Errors of the Face service and of calls to it. */

/** The message of v1.1 is outdated: newer documentation of that version allows both modes, and so does this app. */
export function invalidLivenessOperationMode(version: ApiVersion, details?: ErrorDetail[]): ApiError {
  const sentence = "Invalid livenessOperationMode specified.";
  const message = version === "v1.1-preview.1" ? `${sentence} Must be 'Passive'.` : sentence;
  return badRequest("InvalidLivenessOperationMode", message, details);
}

/** 504. */
export function faceTimeout(): ApiError {
  return new ApiError(504, "FaceTimeout", "The Face service did not respond within the timeout.");
}

/** 502: connection refused or reset, or unknown host. */
export function faceUnreachable(cause: unknown): ApiError {
  return new ApiError(502, "FaceUnreachable", "The Face service could not be reached.", { cause });
}

/** 502: a response that does not match the API's documentation. */
export function faceResponseInvalid(cause: unknown, headers: ResponseHeaders = {}): ApiError {
  return new ApiError(502, "FaceResponseInvalid", "The response of the Face service could not be parsed.", {
    cause,
    headers: passedOn(headers),
  });
}

/**
 * Whether the service refused a call because of its content. False for failures that a retry may resolve: throttling, server
 * errors and timeouts.
 */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status);
}

/**
 * 502: the service refused the app's own key, identity or role, which callers cannot correct. The service's message is only
 * logged, since it may name the identity.
 */
export function faceCredentialsRejected(cause: ApiError): ApiError {
  const message = "The Face service refused the app's own key, identity or role.";
  return new ApiError(502, "FaceCredentialsRejected", message, { cause, headers: cause.headers });
}

/** Azure's codes for an identity without the required role. Other 403 responses concern quota or approval. */
const missingRole = new Set(["PermissionDenied", "AuthorizationFailed"]);

/** @param error from `decodeErrorBody`. */
export function isCredentialsRejection({ status, code, message }: ApiError): boolean {
  if (status === 401) return true;
  // Some gateways of Azure send the status in place of a code.
  return (
    status === 403 &&
    (missingRole.has(code) || /lacks the required|does not have (authorization|permission)/i.test(message))
  );
}

/** The service throttled a request. */
export interface Throttling {
  /** How long it asks to wait. Absent if its response names no time. */
  waitMs?: number;
}

/** Undefined for every response but 429, and 503 with `Retry-After`. */
export function readThrottling(status: number, retryAfter: string | undefined, nowMs: number): Throttling | undefined {
  if (status !== 429 && (status !== 503 || retryAfter === undefined)) return undefined;
  return compact({ waitMs: retryAfter === undefined ? undefined : retryAfterMs(retryAfter, nowMs) });
}

/** Response headers by lower-case name. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>;

/**
 * Converts an error of the service to an `ApiError` with the same status, code and message. The service sends `code`; its
 * gateway sends `statusCode`, which replaces the code; proxies may send any body.
 *
 * @param status 400 to 599.
 * @param body parsed JSON, or text.
 */
export function decodeErrorBody(status: number, body: unknown, headers: ResponseHeaders = {}): ApiError {
  const parsed = typeof body === "string" ? parseOrUndefined(body) : body;
  const outer = isRecord(parsed) ? (isRecord(parsed.error) ? parsed.error : parsed) : {};
  // The service wraps some errors; the inner one is the documented one.
  const error = isRecord(outer.innererror) ? outer.innererror : outer;
  const code = [error.code, headers["x-ms-error-code"]].find(isCode) ?? String(status);
  const message =
    typeof error.message === "string" && error.message !== ""
      ? error.message.slice(0, 1000)
      : `The Face service responded with status ${status} and no message.`;
  const retryAfter = headers["retry-after"] ?? secondsIn(status, message);
  return new ApiError(status, code, message, {
    ...(retryAfter !== undefined && isHeaderText(retryAfter) && { retryAfter }),
    headers: passedOn(headers),
  });
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is a code that a header can contain. */
function isCode(value: unknown): value is string {
  return typeof value === "string" && /^[\w.-]{1,128}$/.test(value);
}

function isHeaderText(value: string): boolean {
  return /^[\x20-\x7e]{1,128}$/.test(value);
}

/** `Retry-After` from the message of a 429: some responses of the gateway have no such header. */
function secondsIn(status: number, message: string): string | undefined {
  return status === 429 ? /\bin (\d{1,6}) seconds?\b/.exec(message)?.[1] : undefined;
}

function passedOn(headers: ResponseHeaders): Record<string, string> {
  const requestId = headers["apim-request-id"];
  return requestId !== undefined && isHeaderText(requestId) ? { "apim-request-id": requestId } : {};
}
