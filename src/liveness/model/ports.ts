import type { SessionKind } from "../../face/model.ts";
import type { CountedFor } from "./caller.ts";
import type { Admit, Guard, GuardChange, GuardEdit } from "./guard.ts";
import type { HeldImageName } from "./images.ts";
import type { Schedule } from "./schedule.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "./session.ts";

export type * from "./images.ts";

/**
 * What the rules need of the world. `storage` and `face` implement these; absence is a value, never a throw. Every
 * method may throw `ApiError` for what the caller should hear, and anything else for what nobody foresaw.
 */

export type { Answered, CallGate, FaceCallOptions, FaceService, SessionRef } from "../../face/client/face-service.ts";

/** Milliseconds since the epoch. */
export type Clock = () => number;
/** A fresh UUID. */
export type NewId = () => string;

/** The `k_` row: one creation under way or done. */
export interface CreationKey {
  creationId: string;
  bodyHash?: string;
  owner?: string;
  countedFor: CountedFor;
  /** RFC 3339. Past it, a creation without `sessionId` is one that crashed. */
  leaseUntil: string;
  sessionId?: string;
  /** The earlier session of the same key, which is revoked before this creation opens another. */
  replaces?: string;
  /** Where the creation's expiry row stands, so that an erasure finds it before the commit. */
  expiryPartition?: string;
}

export interface Reservation extends CreationKey {
  /** Absent: the device is set in the client. */
  deviceCorrelationId?: string;
  /** SHA-256 (hex) of the idempotency key; absent where none was sent. */
  keyHash?: string;
  /** Where the device is set in the client: names the partition until the device is known. Default: the creation's id. */
  anchor?: string;
}

/** A place taken in the device's partition. */
export interface Reserved {
  partition: string;
  idempotencyRowKey: string;
  etag: string;
  key: CreationKey;
}

export type ReserveOutcome = { reserved: Reserved } | { existing: Reserved };

export interface Page<T> {
  items: T[];
  /** Opaque; absent on the last page. */
  continuationToken?: string;
}

/** What the pointer tells of a session without its record: enough for the previews' list. */
export interface SessionPointer {
  sessionId: string;
  kind: SessionKind;
  owner?: string;
  deviceCorrelationId?: string;
  createdOn: string;
  startedOn?: string;
  ttlSeconds: number;
}

export interface ListQuery {
  kind: SessionKind;
  /** 1 to 1000. */
  top: number;
  /** Session id: what comes after it, in the order of the ids. */
  after?: string;
  /** Only what belongs to this principal. */
  owner?: string;
  createdAfter: string;
}

export interface SessionStore extends Schedule {
  /**
   * Takes a place: inserts the `k_` row and the guard in one transaction, or replaces the known guard by its ETag, as
   * often as others get in between. A key that is already there is answered as `existing`, and `admit`'s answer is
   * dropped.
   */
  reserve(reservation: Reservation, admit: Admit): Promise<ReserveOutcome>;
  /**
   * Writes a new creation into a key row, by its ETag, and the guard as `admit` answers it, in one transaction. Undefined
   * where another request has changed the key row, or removed it. A refusal by `admit` leaves both as they are.
   */
  takeOver(existing: Reserved, key: CreationKey, admit: Admit): Promise<Reserved | undefined>;
  /** Whether a key row still has the ETag that it was read with. */
  isCurrent(existing: Reserved): Promise<boolean>;
  /** Removes the key row, and leaves the guard. False where the row is gone, or another creation's. */
  release(reserved: Reserved): Promise<boolean>;
  /** Removes the key row of a creation that was never committed, where it is still that creation's. */
  dropKey(partition: string, idempotencyRowKey: string, creationId: string): Promise<void>;
  /** Name of the `s_` row of a creation. */
  rowKey(createdOn: string, creationId: string): string;
  /** The time of creation that the name of an `s_` row tells. */
  createdOn(row: string): string;
  /**
   * The commit point: inserts the `s_` row and completes the `k_` row by its ETag in one transaction, the id pointer
   * beside it. False where the `k_` row is gone or was taken over: then nothing was written and the session is not ours.
   */
  commit(reserved: Reserved, record: SessionRecord): Promise<boolean>;
  /** By the service's id, through the pointer. */
  find(sessionId: string): Promise<StoredSession | undefined>;
  /** What this process wrote when it created the session, if that is not long ago. Nobody is asked. */
  recall(sessionId: string): StoredSession | undefined;
  /** By its place in the table; `prunedOn` is not known this way. */
  load(partition: string, row: string): Promise<StoredSession | undefined>;
  /**
   * Replaces the record by its ETag and inserts (or overwrites) its audit entries, in one transaction where they fit,
   * else the entries first. Undefined where somebody else wrote in between: read again and decide anew.
   */
  update(
    stored: StoredSession,
    record: SessionRecord,
    entries?: readonly AuditRecord[],
    /** Written with the record: the count of rejections of its guard; by its ETag where one is given, else whatever it is. */
    guard?: { change: GuardChange; etag?: string },
  ): Promise<StoredSession | undefined>;
  /**
   * Newest first. `top` 1 to 100. With an owner, only what belongs to that principal. Throws `ApiError` 400 for a token
   * that is not one of ours.
   */
  sessionsOfDevice(
    deviceCorrelationId: string,
    top: number,
    continuationToken?: string,
    owner?: string,
  ): Promise<Page<SessionRecord>>;
  /** Ascending by session id; without those marked as pruned. */
  list(query: ListQuery): Promise<SessionPointer[]>;
  /** Ascending by entry id. */
  auditEntries(stored: StoredSession): Promise<AuditRecord[]>;
  /** Marks the pointer, so that the dialects answer 404. False where there is no pointer. */
  markPruned(sessionId: string, prunedOn: string): Promise<boolean>;
  /** Writes the pointer anew, as pruned: a creation that stopped at its commit may have left none. */
  restorePointer(stored: StoredSession, prunedOn: string): Promise<void>;
  /** Removes the record with its audit entries, key row and pointer, and the guard with the device's last record. */
  purge(stored: StoredSession): Promise<void>;
  /** One cheap read of the tables. Throws where they cannot be reached. */
  probe(): Promise<void>;
}

/** Everything in a device's partition that an erasure has to deal with. */
export interface DeviceContents {
  partition: string;
  /** Key rows that no session stands behind: creations under way, crashed, or taken over. */
  keys: (CreationKey & { idempotencyRowKey: string })[];
  sessions: StoredSession[];
  /** Held images that were bound to the device at some time, with the ETags of the notes of that. */
  boundImages: { name: HeldImageName; etag: string }[];
  /** Guards, and audit entries whose session is gone. */
  leftoverRows: string[];
  isEmpty: boolean;
}

/** What concerns a device, or a principal, as a whole. */
export interface DeviceStore {
  /** The session of a committed creation; writes the pointer anew where a crash kept it from being written. */
  sessionOf(committed: Reserved): Promise<StoredSession | undefined>;
  /**
   * Replaces the principal's own guard, as exactly as `reserve` does the device's; one that counts nothing any more is
   * removed.
   */
  updateOwnerGuard(owner: string, change: GuardEdit): Promise<void>;
  /** A guard of a partition, with the ETag of its row. */
  guard(partition: string, countedFor: CountedFor): Promise<{ guard: Guard; etag: string } | undefined>;
  /** Replaces a guard of a partition, as `updateOwnerGuard` does. */
  updateGuard(partition: string, countedFor: CountedFor, change: GuardEdit): Promise<void>;
  /** Replaces each guard of a device: the services' and all users'. */
  updateGuards(deviceCorrelationId: string, change: GuardEdit): Promise<void>;
  /**
   * Moves a session that is stored as moving to the partition of its device, which its record names, and answers it as it
   * is stored there. `count` notes it in its guard, once; `refund` takes that back where the session was erased meanwhile,
   * and undefined is answered. Repeating it is harmless.
   */
  bindSession(stored: StoredSession, count: Admit, refund: GuardEdit): Promise<StoredSession | undefined>;
  /** Notes which session an image of an attempt belongs to, and forgets it. */
  linkImage(sessionImageId: string, sessionId: string): Promise<void>;
  sessionOfImage(sessionImageId: string): Promise<string | undefined>;
  unlinkImage(sessionImageId: string): Promise<void>;
  /**
   * Notes in the device's partition that a held image is bound to it, since `boundOn` (RFC 3339). Answers the note's ETag,
   * which is another each time.
   */
  bindImage(deviceCorrelationId: string, name: HeldImageName, boundOn: string): Promise<string>;
  /** Removes the note, unless the image has been bound again since it had this ETag. */
  unbindImage(deviceCorrelationId: string, name: HeldImageName, etag: string): Promise<void>;
  contentsOf(deviceCorrelationId: string): Promise<DeviceContents>;
  /**
   * Removes pointers that creations left which never got as far as their rows: all that point into one of the partitions,
   * or to one row of it. Reads the whole table of pointers, so it is for the rare cases in which such were found.
   */
  dropPointers(places: readonly { partition: string; row?: string }[]): Promise<void>;
  /** Removes the guards and the rows that an interrupted purge or move has left. */
  dropRest(contents: DeviceContents): Promise<void>;
}
