/**
 * The version-neutral model of face liveness, which all codecs decode to and encode from. Fields have the service's names,
 * and those of v1.2 if the versions differ. Wire formats are defined by the codecs.
 */

/** Supported versions of the Face API, as in paths, from the oldest. */
export const apiVersions = ["v1.1-preview.1", "v1.2-preview.1", "v1.2", "v1.3-preview.1"] as const;
export type ApiVersion = (typeof apiVersions)[number];

/** Whether a version has lists of sessions and of audit entries. Later versions return all attempts with the session. */
export function hasLists(version: ApiVersion): boolean {
  return version === "v1.1-preview.1" || version === "v1.2-preview.1";
}

export const sessionKinds = ["liveness", "livenessWithVerify"] as const;
export type SessionKind = (typeof sessionKinds)[number];

/** Ids of stored reference images. */
export const referenceIdPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Longest device or user correlation id, in UTF-16 code units. */
export const maxCorrelationIdLength = 64;

export function isCorrelationId(text: string): boolean {
  return isBoundedText(text, maxCorrelationIdLength);
}

/** Whether a text is 1 to `maxLength` UTF-16 code units of well-formed Unicode. */
export function isBoundedText(text: string, maxLength: number): boolean {
  return text.length >= 1 && text.length <= maxLength && text.isWellFormed();
}

/** The parameters of a new session. Absent: the caller did not set the field. */
export interface SessionRequest {
  livenessOperationMode: "Passive" | "PassiveActive";
  /** See `isCorrelationId`; absent exactly when `deviceCorrelationIdSetInClient` is true. */
  deviceCorrelationId?: string;
  deviceCorrelationIdSetInClient: boolean;
  /** The end user: 1 to 64 characters. Absent if `userCorrelationIdSetInClient` is true. */
  userCorrelationId?: string;
  userCorrelationIdSetInClient?: boolean;
  /** 60 to 86400; the service's default is 600. */
  authTokenTimeToLiveInSeconds: number;
  /** Attempts with one token, 1 to `maxAttempts`. */
  numberOfClientAttemptsAllowed?: number;
  /** The IP address or CIDR block that the device must use. Personal data. */
  expectedClientIpAddress?: string;
  sendResultsToClient?: boolean;
  enableSessionImage?: boolean;
  /** `livenessSingleModalModel` of v1.2-preview.1, `livenessModelVersion` of v1.2. */
  modelVersion?: string;
  /** The version whose dialect defines `modelVersion`. Absent: the upstream version. */
  modelVersionOf?: ApiVersion;
  returnVerifyImageHash?: boolean;
  /** 0 to 1. */
  verifyConfidenceThreshold?: number;
}

export interface VerifyImage {
  bytes: Uint8Array;
  /** As sent by the caller; the app itself reads the type from the bytes. */
  contentType?: string;
  filename?: string;
}

export interface FaceRectangle {
  top: number;
  left: number;
  width: number;
  height: number;
}

/** Unknown fields of a response, which are passed through. */
export type Extra = Record<string, unknown>;

/** The service's findings in the verify image. */
export interface VerifyReference {
  referenceType?: string;
  faceRectangle: FaceRectangle;
  /** `low`, `medium` or `high`; open. */
  qualityForRecognition: string;
  extra?: Extra;
}

/** Facts of a session that only v1.3 returns. */
export interface AbuseFacts {
  /** Whether abuse monitoring was on when the session was created. */
  isAbuseMonitoringEnabled?: boolean;
  /** As requested at creation. */
  expectedClientIpAddress?: string;
}

/** A new session. The token is for the device only and is never stored. */
export interface CreatedSession extends AbuseFacts {
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

/** Facts of an attempt that only an audit entry of the previews contains. */
export interface AuditFacts {
  /** The paging key: int64 as decimal digits. */
  id: string;
  requestId?: string;
  clientRequestId?: string;
  receivedDateTime?: string;
  request?: Record<string, unknown>;
  statusCode?: number;
  latencyInMilliseconds?: number;
  /** The other fields of `response.body`, unchanged. */
  body?: Record<string, unknown>;
  /** The other fields of the entry; without a result these include `digest`, `sessionImageId` and `verifyImageHash`. */
  extra?: Extra;
}

/** The finding of v1.3's abuse monitoring on an attempt. The flagged sessions may be those of other people. */
export interface AbuseMonitoringResult {
  isAbuseDetected: boolean;
  otherFlaggedSessions: { attemptId: number; sessionId: string; sessionImageId?: string | undefined }[];
}

/** One attempt of a device, with a result, an error, or neither while it is running. */
export interface Attempt {
  /** From 1, in chronological order. */
  attemptId: number;
  /** `Succeeded`, `Failed`, `Running`, …; open. */
  attemptStatus: string;
  result?: AttemptResult;
  error?: AttemptError;
  /** v1.3 only: the addresses that the device used. Personal data. */
  clientInformation?: { ip: string }[];
  /** v1.3 only. */
  abuseMonitoringResult?: AbuseMonitoringResult;
  audit?: AuditFacts;
  extra?: Extra;
}

/** Attempts that the service allows with one token: in v1.3 at most, in older versions always. */
export const maxAttempts = 3;

/** `NotStarted`, `Running`, `Succeeded`, `Failed`, `Canceled`; open, as the service may add to them. */
export type SessionStatus = string;

/** A session as returned by GET. */
export interface SessionState extends AbuseFacts {
  sessionId: string;
  status: SessionStatus;
  /** Ascending by `attemptId`. */
  attempts: Attempt[];
  modelVersion?: string;
  verifyReferences?: VerifyReference[];
  /** RFC 3339. This field and the four below are sent by the older previews only; otherwise they come from the app's tables. */
  createdDateTime?: string;
  sessionStartDateTime?: string;
  sessionExpired?: boolean;
  deviceCorrelationId?: string;
  authTokenTimeToLiveInSeconds?: number;
  /** The service may send it in v1.2. The app's own GET never returns it. */
  authToken?: string;
  /** Unknown fields of the session; those of v1.2's `results` are below `results`. */
  extra?: Extra;
}

/** A session in the list of the previews. */
export interface SessionListItem {
  sessionId: string;
  createdDateTime: string;
  sessionStartDateTime?: string;
  sessionExpired: boolean;
  deviceCorrelationId?: string;
  authTokenTimeToLiveInSeconds: number;
}

/** The key of an attempt in the audit trail: the id of its entry, or the attempt's number if it has none. */
export function auditEntryId(attempt: Attempt): string {
  return attempt.audit?.id ?? String(attempt.attemptId);
}

/** Compares attempts in the order of the audit trail: ascending by entry id. */
export function byEntryId(a: Attempt, b: Attempt): number {
  const difference = BigInt(auditEntryId(a)) - BigInt(auditEntryId(b));
  return difference < 0n ? -1 : Number(difference > 0n);
}
