import type {
  ApiVersion,
  Attempt,
  CreatedSession,
  SessionKind,
  SessionListItem,
  SessionRequest,
  SessionState,
  VerifyImage,
} from "./model.ts";

/** One part of a multipart body. */
export interface BodyPart {
  name: string;
  /** Present if the part is a file. */
  filename?: string;
  contentType?: string;
  content: Uint8Array | string;
}

/** A request body, parsed by media type. */
export type RequestBody = { type: "json"; value: unknown } | { type: "multipart"; parts: BodyPart[] };

/** A decoded create request: the fields of the model, the image if one was sent, and the app's additional fields. */
export interface CreateRequest {
  request: SessionRequest;
  image?: VerifyImage;
  /** Id of a stored image to use in place of `image`. */
  referenceImageId?: string;
  /** Id of the stored image that the device is expected to submit. */
  expectedReferenceImageId?: string;
  /** The app's own reference, 1 to 128 characters. */
  clientReferenceId?: string;
}

/** The fields of a create request of any version and kind, with defaults. */
export interface RequestFields {
  livenessOperationMode: SessionRequest["livenessOperationMode"];
  deviceCorrelationId?: string | null | undefined;
  deviceCorrelationIdSetInClient: boolean;
  userCorrelationId?: string | null | undefined;
  userCorrelationIdSetInClient?: boolean | undefined;
  authTokenTimeToLiveInSeconds: number;
  numberOfClientAttemptsAllowed?: number | undefined;
  expectedClientIpAddress?: string | undefined;
  sendResultsToClient?: boolean | undefined;
  enableSessionImage?: boolean | undefined;
  livenessSingleModalModel?: string | undefined;
  livenessModelVersion?: string | undefined;
  returnVerifyImageHash?: boolean | undefined;
  verifyConfidenceThreshold?: number | undefined;
  referenceImageId?: string | undefined;
  expectedReferenceImageId?: string | undefined;
  clientReferenceId?: string | undefined;
}

/**
 * Encodes and decodes the bodies of one version of the API. Requests are strict: unknown fields are refused, not dropped.
 * Responses are tolerant; decoding throws `ZodError`, which contains no values, if a body does not match the schema.
 */
export interface Codec {
  readonly version: ApiVersion;
  /** Paths below `{endpoint}/face/{version}` with a leading slash; ids are encoded. Absent: the version has no such operation. */
  readonly paths: {
    sessions(kind: SessionKind): string;
    session(kind: SessionKind, sessionId: string): string;
    audit?(kind: SessionKind, sessionId: string): string;
    sessionImage?(sessionImageId: string): string;
  };
  /** Status of a successful DELETE: 200 in the previews, 204 in v1.2. */
  readonly deletedStatus: 200 | 204;
  readonly createRequest: {
    /**
     * Throws `ApiError` 400 with the codes and messages of the service, 415 for a form of kind `liveness`. Accepts the app's
     * additional fields (`referenceImageId`, `expectedReferenceImageId`, `clientReferenceId`).
     */
    decode(kind: SessionKind, body: RequestBody): CreateRequest;
    /** Throws `ApiError` 400 for fields that this version does not support. Never encodes the app's additional fields. */
    encode(kind: SessionKind, request: SessionRequest, image?: VerifyImage): RequestBody;
  };
  readonly createResponse: {
    decode(kind: SessionKind, body: unknown): CreatedSession;
    encode(kind: SessionKind, created: CreatedSession): unknown;
  };
  readonly session: {
    decode(kind: SessionKind, body: unknown): SessionState;
    /** Never encodes `authToken`. */
    encode(kind: SessionKind, state: SessionState): unknown;
  };
  readonly auditEntries?: {
    decode(body: unknown): Attempt[];
    /** @param facts of the session, for attempts that do not contain them. */
    encode(
      sessionId: string,
      attempts: readonly Attempt[],
      facts?: Pick<SessionState, "modelVersion" | "verifyReferences">,
    ): unknown;
  };
  /** Whether the version has settings of the Face resource and tokens for client assets. */
  readonly hasSettings: boolean;
  readonly list?: {
    decode(body: unknown): SessionListItem[];
    encode(items: readonly SessionListItem[]): unknown;
  };
}
