import { advise } from "../guidance.ts";

/**
 * The error codes of this app, grouped by what to do. Errors of the Face service are passed on with codes not listed here.
 * The OpenAPI document and `GET api/error-codes` are made from this table; other requests do not load it.
 */
export const errorCodes = {
  ...advise(false, "Correct the request that the app sends, because the user cannot resolve this.", {
    BadArgument: {
      status: 400,
      meaning:
        "A parameter or header is not valid. With status 415, the media type is not supported, or the body is compressed.",
    },
    DeviceSetInClientDisabled: {
      status: 400,
      meaning: "This deployment requires `deviceCorrelationId` in the request.",
    },
    InvalidDeviceCorrelationId: {
      status: 400,
      meaning: "The device correlation id is missing, not permitted, or not 1 to 64 characters long.",
    },
    InvalidHeader: {
      status: 400,
      meaning: "A header of a repeatable request is not valid, or contradicts another header.",
    },
    InvalidLivenessOperationMode: { status: 400, meaning: "`livenessOperationMode` is missing or not valid." },
    InvalidRequestBody: { status: 400, meaning: "The body is not valid; the details name the fields." },
    InvalidTokenLifetime: { status: 400, meaning: "`authTokenTimeToLiveInSeconds` is not within 60 to 86400." },
    MethodNotAllowed: {
      status: 405,
      meaning: "The path does not support the method; the header `Allow` lists those that it supports.",
    },
    NotSupportedByUpstreamVersion: {
      status: 400,
      meaning: "The Face API version that this deployment calls has no equivalent of a field; the details name it.",
    },
    RequestBodyTooLarge: { status: 413, meaning: "The body exceeds the size limit." },
    UnsupportedApiVersion: {
      status: 404,
      meaning: "This version of the Face API does not have the path; the message names the versions that do.",
    },
  }),
  ...advise(false, "Read the image again and decide whether to replace it, because it was changed elsewhere.", {
    ConditionNotMet: { status: 412, meaning: "The condition in `If-Match` or `If-None-Match` is not met." },
  }),
  ...advise(true, "Start the check again with a new session.", {
    CreationConflict: { status: 409, meaning: "The device or user was erased while the session was being created." },
  }),
  ...advise(true, "Repeat the request with the same key after `Retry-After`.", {
    CreationInProgress: { status: 409, meaning: "The first request with this idempotency key has not completed." },
  }),
  ...advise(
    true,
    "Ask the user to try again after the end of the lockout, or offer another way to prove their identity.",
    {
      DeviceLockedOut: {
        status: 403,
        meaning: "The device is locked out after too many rejected checks; the message contains the end time.",
      },
    },
  ),
  ...advise(false, "Start the check again with a new session for this device.", {
    DeviceMismatch: { status: 409, meaning: "The session belongs to another device." },
  }),
  ...advise(true, "Show that the service is out of order and inform its operator.", {
    FaceCredentialFailed: { status: 502, meaning: "The app could not get a token for the Face service." },
  }),
  ...advise(false, "Show that the service is out of order and inform its operator.", {
    FaceCredentialsRejected: { status: 502, meaning: "The Face service refused the app's own key, identity or role." },
    ServiceNotConfigured: { status: 503, meaning: "Settings are missing or wrong; the details name them." },
  }),
  ...advise(true, "Try again after a short time, as given by `Retry-After` if present.", {
    FaceResponseInvalid: { status: 502, meaning: "The response of the Face service could not be parsed." },
    FaceTimeout: { status: 504, meaning: "The Face service did not respond within the timeout." },
    FaceUnreachable: { status: 502, meaning: "The Face service could not be reached." },
    NotReady: { status: 503, meaning: "A dependency of the app is unavailable; the details name it." },
    ServerBusy: { status: 503, meaning: "Too many concurrent requests for this device or caller." },
    StorageUnavailable: { status: 503, meaning: "Table or Blob Storage is unavailable." },
  }),
  ...advise(false, "Send the request with a new key.", {
    IdempotencyKeyReused: { status: 422, meaning: "The idempotency key was used before with a different request." },
  }),
  ...advise(true, "Try again once, then show the invocation id so that the user can pass it on to support.", {
    InternalServerError: {
      status: 500,
      meaning: "Unexpected failure; the message contains the invocation id for a search in the log.",
    },
  }),
  ...advise(false, "Ask for another image, with one clearly visible face.", {
    InvalidImage: { status: 400, meaning: "The image cannot be decoded, or shows no face or several faces." },
  }),
  ...advise(false, "Ask for an image between 1 KB and 6 MB, or reduce its size.", {
    InvalidImageSize: { status: 400, meaning: "The image is smaller than 1 KB or larger than 6 MB." },
  }),
  ...advise(false, "Ask for a new reference image and store it before the check.", {
    ReferenceImageNotFound: { status: 400, meaning: "No reference image with this `referenceImageId` exists." },
  }),
  ...advise(true, "Ask the user to check the network connection, then send the request again.", {
    RequestTimeout: { status: 408, meaning: "The request body did not arrive within the timeout." },
  }),
  ...advise(false, "Treat the resource as absent, also if it belongs to another user.", {
    ResourceNotFound: { status: 404, meaning: "The resource does not exist, or is not visible to this caller." },
  }),
  ...advise(false, "Create a new session with a new key.", {
    SessionAlreadyUsed: {
      status: 409,
      meaning: "The session created with this idempotency key has been used, deleted or has expired.",
    },
  }),
  ...advise(false, "Continue without the image, because the service keeps it for 48 hours only.", {
    SessionImageNotFound: { status: 404, meaning: "The image does not exist or has expired." },
  }),
  ...advise(true, "Let the user complete the check on the device, then settle again after `Retry-After`.", {
    SessionNotFinished: { status: 409, meaning: "The session has no finished attempt." },
  }),
  ...advise(false, "Start the check again with a new session.", {
    SessionNotFound: {
      status: 404,
      meaning: "The session does not exist, has expired, or is not visible to this caller.",
    },
  }),
  ...advise(false, "Ask the user to replace or delete one of their images.", {
    TooManyReferenceImages: {
      status: 429,
      meaning: "The user has reached this deployment's limit of reference images.",
    },
  }),
  ...advise(false, "Ask the user to sign in again.", {
    Unspecified: { status: 401, meaning: "The request has no valid key and no valid sign-in." },
  }),
  ...advise(true, "Ask the user to wait for the seconds in `Retry-After` and to try again then.", {
    "429": {
      status: 429,
      meaning:
        "The rate limit of session creations for this device or caller is exceeded, or the Face service throttles.",
    },
  }),
};

export type ErrorCode = keyof typeof errorCodes;
