import { badRequest } from "../api-errors.ts";
import { ApiError, type ErrorDetail } from "../errors.ts";
import type { ApiVersion } from "./model.ts";
import { isRecord } from "./objects.ts";

/** Errors of the Face service and of calls to it. */

/** The message of v1.1 is out of date: its newer documents allow both modes, and so does this app. */
export function invalidLivenessOperationMode(version: ApiVersion, details?: ErrorDetail[]): ApiError {
  const sentence = "Invalid livenessOperationMode specified.";
  const message = version === "v1.1-preview.1" ? `${sentence} Must be 'Passive'.` : sentence;
  return badRequest("InvalidLivenessOperationMode", message, details);
}

/** 504. */
export function faceTimeout(): ApiError {
  return new ApiError(504, "FaceTimeout", "The Face service did not answer in time.");
}

/** 502: refused, reset, or no such host. */
export function faceUnreachable(cause: unknown): ApiError {
  return new ApiError(502, "FaceUnreachable", "The Face service could not be reached.", { cause });
}

/** 502: an answer that is not what the API documents. */
export function faceResponseInvalid(cause: unknown, headers: ResponseHeaders = {}): ApiError {
  return new ApiError(502, "FaceResponseInvalid", "The Face service's answer could not be understood.", {
    cause,
    headers: passedOn(headers),
  });
}

/**
 * Whether the service refused a call for what it asks. False where the same call may succeed later: the service was too
 * busy, failed, or did not answer in time.
 */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status);
}

/**
 * 502: the service refuses the app's own key, identity or role, which no caller can change. The service's message is for
 * the log: it may name the identity.
 */
export function faceCredentialsRejected(cause: ApiError): ApiError {
  const message = "The Face service refuses the key, identity or role of this app.";
  return new ApiError(502, "FaceCredentialsRejected", message, { cause, headers: cause.headers });
}

/** Codes with which Azure refuses an identity that lacks a role. Other 403 are about quota or approval. */
const missingRole = new Set(["PermissionDenied", "AuthorizationFailed"]);

/** @param error as `decodeErrorBody` gives it. */
export function isCredentialsRejection({ status, code, message }: ApiError): boolean {
  if (status === 401) return true;
  // Some of Azure's gateways send the status in place of the code.
  return (
    status === 403 &&
    (missingRole.has(code) || /lacks the required|does not have (authorization|permission)/i.test(message))
  );
}

/** Response headers by their names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>;

/**
 * An error of the service as an `ApiError` that tells a caller the same. The service answers with a `code`, its gateway
 * with a `statusCode`, which then stands for the code, and what is in between with anything.
 *
 * @param status 400 to 599.
 * @param body parsed JSON, or text.
 */
export function decodeErrorBody(status: number, body: unknown, headers: ResponseHeaders = {}): ApiError {
  const parsed = typeof body === "string" ? parseOrUndefined(body) : body;
  const outer = isRecord(parsed) ? (isRecord(parsed.error) ? parsed.error : parsed) : {};
  // Where the service wraps an error, the inner one is the one that it documents.
  const error = isRecord(outer.innererror) ? outer.innererror : outer;
  const code = [error.code, headers["x-ms-error-code"]].find(isCode) ?? String(status);
  const message =
    typeof error.message === "string" && error.message !== ""
      ? error.message.slice(0, 1000)
      : `The Face service answered with status ${status} and no reason.`;
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

/** A code also travels in a header. */
function isCode(value: unknown): value is string {
  return typeof value === "string" && /^[\w.-]{1,128}$/.test(value);
}

function isHeaderText(value: string): boolean {
  return /^[\x20-\x7e]{1,128}$/.test(value);
}

/** The gateway may tell how long to wait in its sentence only. */
function secondsIn(status: number, message: string): string | undefined {
  return status === 429 ? /\bin (\d{1,6}) seconds?\b/.exec(message)?.[1] : undefined;
}

function passedOn(headers: ResponseHeaders): Record<string, string> {
  const requestId = headers["apim-request-id"];
  return requestId !== undefined && isHeaderText(requestId) ? { "apim-request-id": requestId } : {};
}
