import { compact } from "./compact.ts";
import { ApiError, type ErrorDetail } from "./errors.ts";

/**
 * Errors that the app itself answers with the codes and messages of the Face API's documentation. Details name the invalid
 * field and never contain its value.
 */

export function invalidRequestBody(details?: ErrorDetail[]): ApiError {
  return badRequest(
    "InvalidRequestBody",
    "Incorrect request body provided. Please check the operation schema and try again.",
    details,
  );
}

export function invalidTokenLifetime(details?: ErrorDetail[]): ApiError {
  return badRequest(
    "InvalidTokenLifetime",
    "Invalid authTokenTimeToLiveInSeconds specified. Must be within 60 to 86400.",
    details,
  );
}

export function invalidDeviceCorrelationId(details?: ErrorDetail[]): ApiError {
  return badRequest(
    "InvalidDeviceCorrelationId",
    "A device correlation id is required in the request body during session create or session start. " +
      "Must not be null or empty, and be no more than 64 characters.",
    details,
  );
}

export function invalidImage(): ApiError {
  return badRequest("InvalidImage", "Decoding error, image format unsupported.");
}

export function invalidImageSize(): ApiError {
  return badRequest("InvalidImageSize", "The valid image file size is from 1KB to 6MB.");
}

/** For invalid query parameters. */
export function badArgument(details?: ErrorDetail[]): ApiError {
  return badRequest("BadArgument", "Invalid argument specified.", details);
}

/** 415, with the code that the service also uses for invalid arguments. */
export function invalidMediaType(details?: ErrorDetail[]): ApiError {
  return new ApiError(415, "BadArgument", "Invalid Media Type.", compact({ details }));
}

/** 415 for a compressed body, which would otherwise be refused as damaged JSON or as a damaged image. */
export function unsupportedContentEncoding(): ApiError {
  return invalidMediaType([
    { code: "UnsupportedContentEncoding", message: "The body must not be compressed.", target: "Content-Encoding" },
  ]);
}

/** 401. The service documents no other code. */
export function accessDenied(): ApiError {
  return new ApiError(
    401,
    "Unspecified",
    "Access denied due to invalid subscription key. " +
      "Make sure you are subscribed to an API you are trying to call and provide the right key.",
  );
}

export function sessionNotFound(): ApiError {
  return new ApiError(404, "SessionNotFound", "Session Id is not found. The session id is expired or does not exist.");
}

/** The message is not documented; it follows the one for a session. */
export function sessionImageNotFound(): ApiError {
  return new ApiError(404, "SessionImageNotFound", "Session image id is not found. It is expired or does not exist.");
}

/** 400. The operator does not allow devices that are set in the client. */
export function deviceSetInClientDisabled(): ApiError {
  const message = "Devices that are set in the client are not allowed here: send a deviceCorrelationId.";
  return new ApiError(400, "DeviceSetInClientDisabled", message);
}

export function referenceImageNotFound(): ApiError {
  return new ApiError(400, "ReferenceImageNotFound", "There is no reference image with this referenceImageId.");
}

/** 409. The device was erased while the session was being created. */
export function creationConflict(): ApiError {
  const message = "The device's records were removed while the session was being created.";
  return new ApiError(409, "CreationConflict", message);
}

/** Header of responses to a request with `Repeatability-Request-ID` that was not executed. */
const repeatRejected = { "repeatability-result": "rejected" };

export function idempotencyKeyReused(): ApiError {
  const message = "The key was used before, with another request.";
  return new ApiError(422, "IdempotencyKeyReused", message, { headers: repeatRejected });
}

export function sessionAlreadyUsed(): ApiError {
  const message = "The session of this key has been used, deleted or has expired.";
  return new ApiError(409, "SessionAlreadyUsed", message, { headers: repeatRejected });
}

export function creationInProgress(): ApiError {
  const message = "The first request with this key is still in progress.";
  return new ApiError(409, "CreationInProgress", message, { headers: repeatRejected, retryAfter: "1" });
}

export function deviceMismatch(): ApiError {
  return new ApiError(409, "DeviceMismatch", "The session belongs to another device.");
}

export function sessionNotFinished(retryAfterSeconds: number): ApiError {
  const retryAfter = String(retryAfterSeconds);
  return new ApiError(409, "SessionNotFinished", "No attempt of this session has ended yet.", { retryAfter });
}

/** 403 and not 429: after a 429, the official clients would wait for the whole `Retry-After`. @param until RFC 3339. */
export function deviceLockedOut(until: string): ApiError {
  const message = `Too many checks of this device were rejected. It is locked out until ${until}.`;
  return new ApiError(403, "DeviceLockedOut", message);
}

/** 503, to be retried after one second. @param message what there is too much of: concurrent writes or exports. */
export function serverBusy(message: string): ApiError {
  return new ApiError(503, "ServerBusy", message, { retryAfter: "1" });
}

/** Whether the service throttled the request. */
export function isThrottled(error: unknown): boolean {
  return error instanceof ApiError && error.status === 429;
}

/** Whether the service answered 403: it refuses the app for lack of quota or approval. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** 429 with the code and message of the service's gateway. @param seconds for `Retry-After`. */
export function rateLimitExceeded(seconds: number): ApiError {
  return new ApiError(429, "429", `Rate limit is exceeded. Try again in ${seconds} seconds.`, {
    retryAfter: String(seconds),
  });
}

export function badRequest(code: string, message: string, details: ErrorDetail[] = []): ApiError {
  return new ApiError(400, code, message, details.length === 0 ? {} : { details });
}
