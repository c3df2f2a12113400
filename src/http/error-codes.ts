import { adviseError } from "../guidance.ts";

/**
 * The error codes of this app, grouped by what to do. Errors of the Face service are passed on with codes not listed here.
 * The OpenAPI document and `GET api/error-codes` are made from this table; other requests do not load it.
 */
export const errorCodes = {
  ...adviseError(false, "Correct the request that the app sends, because the user cannot resolve this.", {
    BadArgument: [
      400,
      "A parameter or header is not valid. With status 415, the media type is not supported, or the body is compressed.",
    ],
    DeviceSetInClientDisabled: [400, "This deployment requires `deviceCorrelationId` in the request."],
    InvalidDeviceCorrelationId: [
      400,
      "The device correlation id is missing, not permitted, or not 1 to 64 characters long.",
    ],
    InvalidHeader: [400, "A header of a repeatable request is not valid, or contradicts another header."],
    InvalidLivenessOperationMode: [400, "`livenessOperationMode` is missing or not valid."],
    InvalidRequestBody: [400, "The body is not valid; the details name the fields."],
    InvalidTokenLifetime: [400, "`authTokenTimeToLiveInSeconds` is not within 60 to 86400."],
    MethodNotAllowed: [405, "The path does not support the method; the header `Allow` lists those that it supports."],
    NotSupportedByUpstreamVersion: [
      400,
      "The Face API version that this deployment calls has no equivalent of a field; the details name it.",
    ],
    RequestBodyTooLarge: [413, "The body exceeds the size limit."],
    UnsupportedApiVersion: [
      404,
      "This version of the Face API does not have the path; the message names the versions that do.",
    ],
  }),
  ...adviseError(false, "Read the image again and decide whether to replace it, because it was changed elsewhere.", {
    ConditionNotMet: [412, "The condition in `If-Match` or `If-None-Match` is not met."],
  }),
  ...adviseError(true, "Start the check again with a new session.", {
    CreationConflict: [409, "The device or user was erased while the session was being created."],
  }),
  ...adviseError(true, "Repeat the request with the same key after `Retry-After`.", {
    CreationInProgress: [409, "The first request with this idempotency key has not completed."],
  }),
  ...adviseError(
    true,
    "Ask the user to try again after the end of the lockout, or offer another way to prove their identity.",
    {
      DeviceLockedOut: [
        403,
        "The device is locked out after too many rejected checks; the message contains the end time.",
      ],
    },
  ),
  ...adviseError(false, "Start the check again with a new session for this device.", {
    DeviceMismatch: [409, "The session belongs to another device."],
  }),
  ...adviseError(true, "Show that the service is out of order and inform its operator.", {
    FaceCredentialFailed: [502, "The app could not get a token for the Face service."],
  }),
  ...adviseError(false, "Show that the service is out of order and inform its operator.", {
    FaceCredentialsRejected: [502, "The Face service refused the app's own key, identity or role."],
    ServiceNotConfigured: [503, "Settings are missing or wrong; the details name them."],
  }),
  ...adviseError(true, "Try again after a short time, as given by `Retry-After` if present.", {
    FaceResponseInvalid: [502, "The response of the Face service could not be parsed."],
    FaceTimeout: [504, "The Face service did not respond within the timeout."],
    FaceUnreachable: [502, "The Face service could not be reached."],
    NotReady: [503, "A dependency of the app is unavailable; the details name it."],
    ServerBusy: [503, "Too many concurrent requests for this device or caller."],
    StorageUnavailable: [503, "Table or Blob Storage is unavailable."],
  }),
  ...adviseError(false, "Send the request with a new key.", {
    IdempotencyKeyReused: [422, "The idempotency key was used before with a different request."],
  }),
  ...adviseError(true, "Try again once, then show the invocation id so that the user can pass it on to support.", {
    InternalServerError: [500, "Unexpected failure; the message contains the invocation id for a search in the log."],
  }),
  ...adviseError(false, "Ask for another image, with one clearly visible face.", {
    InvalidImage: [400, "The image cannot be decoded, or shows no face or several faces."],
  }),
  ...adviseError(false, "Ask for an image between 1 KB and 6 MB, or reduce its size.", {
    InvalidImageSize: [400, "The image is smaller than 1 KB or larger than 6 MB."],
  }),
  ...adviseError(false, "Ask for a new reference image and store it before the check.", {
    ReferenceImageNotFound: [400, "No reference image with this `referenceImageId` exists."],
  }),
  ...adviseError(true, "Ask the user to check the network connection, then send the request again.", {
    RequestTimeout: [408, "The request body did not arrive within the timeout."],
  }),
  ...adviseError(false, "Treat the resource as absent, also if it belongs to another user.", {
    ResourceNotFound: [404, "The resource does not exist, or is not visible to this caller."],
  }),
  ...adviseError(false, "Create a new session with a new key.", {
    SessionAlreadyUsed: [409, "The session created with this idempotency key has been used, deleted or has expired."],
  }),
  ...adviseError(false, "Continue without the image, because the service keeps it for 48 hours only.", {
    SessionImageNotFound: [404, "The image does not exist or has expired."],
  }),
  ...adviseError(true, "Let the user complete the check on the device, then settle again after `Retry-After`.", {
    SessionNotFinished: [409, "The session has no finished attempt."],
  }),
  ...adviseError(false, "Start the check again with a new session.", {
    SessionNotFound: [404, "The session does not exist, has expired, or is not visible to this caller."],
  }),
  ...adviseError(false, "Ask the user to replace or delete one of their images.", {
    TooManyReferenceImages: [429, "The user has reached this deployment's limit of reference images."],
  }),
  ...adviseError(false, "Ask the user to sign in again.", {
    Unspecified: [401, "The request has no valid key and no valid sign-in."],
  }),
  ...adviseError(true, "Ask the user to wait for the seconds in `Retry-After` and to try again then.", {
    "429": [
      429,
      "The rate limit of session creations for this device or caller is exceeded, or the Face service throttles.",
    ],
  }),
};

export type ErrorCode = keyof typeof errorCodes;
