import type { ApiVersion, Attempt, SessionKind, SessionStatus, VerifyReference } from "../../face/model.ts";
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
  /** How many attempts the service has told of. */
  attempts: number;
  final: boolean;
  decision?: Decision;
  reasons: string[];
  /** When it was deleted through us. The service's own status `Canceled` says that the user gave up. */
  revokedOn?: string;
  /** When the outcome was last recorded. */
  settledOn?: string;
  /** A held image's id, or the creation's id where the image came with the creation. */
  referenceImageId?: string;
  /** SHA-256 (hex) of the verify image that the session was opened with. */
  referenceImageHash?: string;
  /** The device submits the image itself; `referenceImageHash` says which it must be. */
  imageFromClient?: boolean;
  /** The digest that the client told of its latest attempt. */
  clientDigest?: string;
  /** Why the client could not go on, in its own words. */
  clientError?: string;
  modelVersion?: string;
  /** What the service saw in the verify image when the session was opened; not every version tells it again. */
  verifyReferences?: VerifyReference[];
  /** Lowest match confidence that is accepted, 0 to 1. */
  threshold?: number;
  clientName?: string;
  owner?: string;
  /** Whose sessions on the device this one counts among. */
  countedFor: CountedFor;
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
  /** Not read just now, but remembered: whether it is still so is told by a write by its ETag, or by reading it. */
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
