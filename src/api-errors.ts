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

/** @param message for an image that can be decoded, but shows no face or several faces. */
export function invalidImage(message = "Decoding error, image format unsupported.", details?: ErrorDetail[]): ApiError {
  return badRequest("InvalidImage", message, details);
}

export function invalidImageSize(details?: ErrorDetail[]): ApiError {
  return badRequest("InvalidImageSize", "The valid image file size is from 1KB to 6MB.", details);
}

/** For `start` and `top` of the previews' lists. */
export function badArgument(details?: ErrorDetail[]): ApiError {
  return badRequest("BadArgument", "Invalid argument specified.", details);
}

/** 415, with the code that the service also uses for invalid arguments. */
export function invalidMediaType(): ApiError {
  return new ApiError(415, "BadArgument", "Invalid Media Type.");
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

/** 403 of the gateway. */
export function outOfQuota(days: number): ApiError {
  return new ApiError(403, "403", `Out of call volume quota. Quota will be replenished in ${days} days.`);
}

export function sessionNotFound(): ApiError {
  return new ApiError(404, "SessionNotFound", "Session Id is not found. The session id is expired or does not exist.");
}

/** The message is not documented; it follows the one for a session. */
export function sessionImageNotFound(): ApiError {
  return new ApiError(404, "SessionImageNotFound", "Session image id is not found. It is expired or does not exist.");
}

/** 429 of the gateway. */
export function rateLimitExceeded(seconds: number): ApiError {
  return new ApiError(429, "429", `Rate limit is exceeded. Try again in ${seconds} seconds.`, {
    retryAfter: String(seconds),
  });
}

export function badRequest(code: string, message: string, details: ErrorDetail[] | undefined): ApiError {
  return new ApiError(400, code, message, details === undefined || details.length === 0 ? {} : { details });
}
