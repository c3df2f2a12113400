import {
  type ApiVersion,
  type Attempt,
  maxAttempts,
  type SessionKind,
  type SessionStatus,
  type VerifyReference,
} from "../../face/model.ts";
import type { CountedFor } from "./caller.ts";
import type { Place, Placed, RecordRef } from "./references.ts";

export const decisions = ["accepted", "rejected", "inconclusive"] as const;
export type Decision = (typeof decisions)[number];

/** A session as it is kept: one `s_` row of its device's partition. Times are RFC 3339 with milliseconds, UTC. */
export interface SessionRecord {
  /** UUID of the creation; names the row, the uploaded image and the expiry row before the service has named the session. */
  creationId: string;
  sessionId: string;
  kind: SessionKind;
  deviceCorrelationId?: string;
  /** The end user, as the caller names it. */
  userCorrelationId?: string;
  clientReferenceId?: string;
  /** The dialect in which it was asked for. */
  apiVersion: ApiVersion;
  /** The version that the service was called with. */
  upstreamVersion: ApiVersion;
  createdOn: string;
  /** End of the token's life. */
  tokenExpiresOn: string;
  /** End of the session's life at the service: 48 hours after its creation. */
  expiresOn: string;
  ttlSeconds: number;
  /** When the service or we first saw an attempt. */
  startedOn?: string;
  /** The service's status, or `Expired`. */
  status: SessionStatus;
  /** Attempts that have ended, as far as they are recorded. */
  attempts: number;
  /** Attempts with one token, where the caller has set a limit; see `attemptsAllowed`. */
  attemptsAllowed?: number;
  /** The address that the device must use. Personal data. */
  expectedClientIpAddress?: string;
  final: boolean;
  decision?: Decision;
  reasons: string[];
  /** When it was deleted through this app. The service's own `Canceled` means that the user gave up. */
  revokedOn?: string;
  /** When the outcome was last recorded. */
  settledOn?: string;
  /** A held image's id, or the creation's id where the image came with the creation. */
  referenceImageId?: string;
  /** SHA-256 (hex) of the verify image that the session was opened with. */
  referenceImageHash?: string;
  /** The device submits the image itself; `referenceImageHash` is that of the expected one. */
  imageFromClient?: boolean;
  /** The client's digest of its latest attempt. */
  clientDigest?: string;
  /** The client's own error message. */
  clientError?: string;
  modelVersion?: string;
  /** Faces that the service found in the verify image at creation; not every version returns them later. */
  verifyReferences?: VerifyReference[];
  /** Lowest match confidence that is accepted, 0 to 1. */
  threshold?: number;
  clientName?: string;
  owner?: string;
  /** Whose sessions on the device this one counts among. */
  countedFor: CountedFor;
}

/** Attempts that count with the session's token: further ones are recorded, and change no decision. */
export function attemptsAllowed(record: Pick<SessionRecord, "attemptsAllowed">): number {
  return record.attemptsAllowed ?? maxAttempts;
}

/** Whether the attempts that the caller has allowed are used up. False without such a limit. */
export function isUsedUp(record: Pick<SessionRecord, "attemptsAllowed" | "attempts">): boolean {
  return record.attemptsAllowed !== undefined && record.attempts >= record.attemptsAllowed;
}

/** A record as it was read. */
export interface StoredSession {
  record: SessionRecord;
  place: Place;
  ref: RecordRef;
  /** Set on the pointer when the session was pruned: the dialects then answer 404. */
  prunedOn?: string;
  /** Its device is known, and and it is not yet, or not wholly, stored with its device: `bindSession` moves it. */
  isMoving?: true;
  /** From the cache of this process: it may be outdated, which a conditional write or a read detects. */
  recalled?: true;
}

/** How to find the record again. */
export function placed({ place, record: { creationId, createdOn } }: StoredSession): Placed {
  return { place, creationId, createdOn };
}

/** One stored entry of the audit trail. */
export interface AuditRecord {
  /** int64 as decimal digits. */
  entryId: string;
  sessionId: string;
  receivedOn?: string;
  entry: Attempt;
}
