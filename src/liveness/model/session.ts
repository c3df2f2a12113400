import {
  type ApiVersion,
  type Attempt,
  maxAttempts,
  type SessionKind,
  type SessionStatus,
  type VerifyReference,
} from "../../face/model.ts";
import type { CountedFor } from "./caller.ts";
import type { EventRef } from "./events.ts";
import type { Place, Placed, RecordRef } from "./references.ts";

export const decisions = ["accepted", "rejected", "inconclusive"] as const;
export type Decision = (typeof decisions)[number];

/** The record of a session. Times are RFC 3339 with milliseconds, UTC. */
export interface SessionRecord {
  /** UUID of the creation; names the record, the uploaded image and the schedule entry before the session has an id. */
  creationId: string;
  sessionId: string;
  kind: SessionKind;
  deviceCorrelationId?: string;
  /** The end user, as the caller names it. */
  userCorrelationId?: string;
  clientReferenceId?: string;
  /** The caller's API version. */
  apiVersion: ApiVersion;
  /** The API version in which the session was created at the service. */
  upstreamVersion: ApiVersion;
  createdOn: string;
  /** End of the token's life. */
  tokenExpiresOn: string;
  /** End of the session's life at the service: 48 hours after its creation. */
  expiresOn: string;
  ttlSeconds: number;
  /** When the first attempt began, as the service reports it, or else when the first attempt was recorded. */
  startedOn?: string;
  /** The service's status, or `Expired`. */
  status: SessionStatus;
  /** Recorded attempts that have ended. */
  attempts: number;
  /** Attempts with one token, if the caller has set a limit; see the function `attemptsAllowed`. */
  attemptsAllowed?: number;
  /** The IP address or CIDR block that the device must use. Personal data. */
  expectedClientIpAddress?: string;
  final: boolean;
  decision?: Decision;
  reasons: string[];
  /** When the session was deleted through this app. The service's `Canceled` means that the user gave up. */
  revokedOn?: string;
  /** When the outcome was last recorded. */
  settledOn?: string;
  /** Number of outcomes that have been recorded. Default: none. */
  revision?: number;
  /** The events of these outcomes. */
  events?: EventRef[];
  /** Id of a held image, or of the creation if the image was uploaded with it. */
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
  /** Faces in the verify image, by the service at creation; some versions do not return them later. */
  verifyReferences?: VerifyReference[];
  /** Lowest match confidence that is accepted, 0 to 1. */
  threshold?: number;
  clientName?: string;
  owner?: string;
  /** For whom the session counts in the limits and the lockout of its device. */
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

/** A record that was read. */
export interface StoredSession {
  record: SessionRecord;
  place: Place;
  ref: RecordRef;
  /** When the session was pruned, which hides it from the Face routes. */
  prunedOn?: string;
  /** The record names the device, but is not yet, or not completely, stored with it; `bindSession` finishes the move. */
  isMoving?: true;
  /** The record is from the cache of this process and may be outdated, which a conditional write detects. */
  isCached?: true;
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
