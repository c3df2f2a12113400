/**
 * Face liveness without its versions: what every dialect decodes to and encodes from. The words are the service's own;
 * where the versions differ, the model has the v1.2 word. No wire shape stands here: those are the codecs'.
 */

/** Every version spoken here, as it stands in a path. The last one is the default upstream. */
export const apiVersions = ["v1.1-preview.1", "v1.2-preview.1", "v1.2"] as const;
export type ApiVersion = (typeof apiVersions)[number];

export const sessionKinds = ["liveness", "livenessWithVerify"] as const;
export type SessionKind = (typeof sessionKinds)[number];

/** Ids of stored reference images. */
export const referenceIdPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Longest device correlation id, in UTF-16 code units. */
export const maxDeviceIdLength = 64;

export function isDeviceId(text: string): boolean {
  return isBoundedText(text, maxDeviceIdLength);
}

/** Whether a text is 1 to `maxLength` UTF-16 code units of well-formed Unicode. */
export function isBoundedText(text: string, maxLength: number): boolean {
  return text.length >= 1 && text.length <= maxLength && text.isWellFormed();
}

/** What a caller asks of a new session. Absent means that the caller did not say. */
export interface SessionRequest {
  livenessOperationMode: "Passive" | "PassiveActive";
  /** See `isDeviceId`; absent exactly when `deviceCorrelationIdSetInClient` is true. */
  deviceCorrelationId?: string;
  deviceCorrelationIdSetInClient: boolean;
  /** 60 to 86400; the service's default is 600. */
  authTokenTimeToLiveInSeconds: number;
  sendResultsToClient?: boolean;
  enableSessionImage?: boolean;
  /** `livenessSingleModalModel` of v1.2-preview.1, `livenessModelVersion` of v1.2. */
  modelVersion?: string;
  /** The version whose dialect named `modelVersion`, as no other knows it. Absent: the upstream's own. */
  modelVersionOf?: ApiVersion;
  returnVerifyImageHash?: boolean;
  /** 0 to 1. */
  verifyConfidenceThreshold?: number;
}

export interface VerifyImage {
  bytes: Uint8Array;
  /** As sent by the caller; the type that counts is read from the bytes. */
  contentType?: string;
  filename?: string;
}

export interface FaceRectangle {
  top: number;
  left: number;
  width: number;
  height: number;
}

/** Fields of a response that no shape here names, so that they survive from one end to the other. */
export type Extra = Record<string, unknown>;

/** What the service saw in the verify image. */
export interface VerifyReference {
  referenceType?: string;
  faceRectangle: FaceRectangle;
  /** `low`, `medium` or `high`; open. */
  qualityForRecognition: string;
  extra?: Extra;
}

/** A session that the service has just opened. The token is for the device alone and is stored nowhere. */
export interface CreatedSession {
  sessionId: string;
  authToken: string;
  modelVersion?: string;
  verifyReferences: VerifyReference[];
  extra?: Extra;
}

export interface AttemptResult {
  /** `realface`, `spoofface`, `uncertain`; compare without regard to case. */
  livenessDecision?: string;
  targets?: unknown;
  /** The service's digest of the attempt. */
  digest?: string;
  sessionImageId?: string;
  verifyResult?: { matchConfidence: number; isIdentical: boolean };
  /** SHA-256 (hex) of the verify image that the service used. */
  verifyImageHash?: string;
  extra?: Extra;
}

export interface AttemptError {
  /** An open set: unknown codes pass through unchanged. */
  code: string;
  message: string;
  targets?: unknown;
  extra?: Extra;
}

/** What only an audit entry of the previews tells about an attempt. */
export interface AuditFacts {
  /** int64 as decimal digits: the paging key. */
  id: string;
  requestId?: string;
  clientRequestId?: string;
  receivedDateTime?: string;
  request?: Record<string, unknown>;
  statusCode?: number;
  latencyInMilliseconds?: number;
  /** The rest of `response.body`, as it came. */
  body?: Record<string, unknown>;
  /** The rest of the entry: of one without a result also its `digest`, `sessionImageId` and `verifyImageHash`. */
  extra?: Extra;
}

/** One attempt of a device. It has a result, or an error, or (while it runs) neither. */
export interface Attempt {
  /** From 1, in the order in which the attempts were made. */
  attemptId: number;
  /** `Succeeded`, `Failed`, `Running`, …; open. */
  attemptStatus: string;
  result?: AttemptResult;
  error?: AttemptError;
  audit?: AuditFacts;
  extra?: Extra;
}

/** Attempts that the service allows with one token. */
export const maxAttempts = 3;

/** `NotStarted`, `Running`, `Succeeded`, `Failed`, `Canceled`; open, as the service may add to them. */
export type SessionStatus = string;

/** A session as a GET tells of it. */
export interface SessionState {
  sessionId: string;
  status: SessionStatus;
  /** Ascending by `attemptId`. */
  attempts: Attempt[];
  modelVersion?: string;
  verifyReferences?: VerifyReference[];
  /** The following are told by the previews only; for v1.2 the store knows them. RFC 3339. */
  createdDateTime?: string;
  sessionStartDateTime?: string;
  sessionExpired?: boolean;
  deviceCorrelationId?: string;
  authTokenTimeToLiveInSeconds?: number;
  /** Some v1.2 services answer it; never passed on by a GET of ours. */
  authToken?: string;
  /** Of the session itself; what v1.2 has beside `results.attempts` stands below `results`. */
  extra?: Extra;
}

/** A row of the previews' list. */
export interface SessionListItem {
  sessionId: string;
  createdDateTime: string;
  sessionStartDateTime?: string;
  sessionExpired: boolean;
  deviceCorrelationId?: string;
  authTokenTimeToLiveInSeconds: number;
}

/** The key of an attempt in the audit trail: the entry's own id, or the attempt's number where there is none. */
export function auditEntryId(attempt: Attempt): string {
  return attempt.audit?.id ?? String(attempt.attemptId);
}

/** Compares attempts in the order of the audit trail: ascending by entry id. */
export function byEntryId(a: Attempt, b: Attempt): number {
  const difference = BigInt(auditEntryId(a)) - BigInt(auditEntryId(b));
  return difference < 0n ? -1 : Number(difference > 0n);
}
