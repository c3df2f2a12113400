import type { CountedFor } from "./caller.ts";
import type { Admit, GuardEdit } from "./guard.ts";
import type { Place, Version } from "./references.ts";
import type { SessionRecord, StoredSession } from "./session.ts";

/** The key of a creation, in progress or committed. */
export interface CreationKey {
  creationId: string;
  /** SHA-256 (hex) of the request; absent without an idempotency key. */
  bodyHash?: string;
  owner?: string;
  /** The user whose entry the creation writes, and the time in the entry. */
  userCorrelationId?: string;
  createdOn?: string;
  countedFor: CountedFor;
  /** RFC 3339. A creation without `sessionId` has crashed if its lease has ended. */
  leaseUntil: string;
  sessionId?: string;
  /** The earlier session of the same key, which is revoked before this creation opens another. */
  replaces?: string;
  /** When the timer first visits the creation, to find its schedule entry. Stored with a precision of five minutes. */
  dueOn: string;
}

export interface Reservation extends CreationKey {
  /** Absent: the device is set in the client. */
  deviceCorrelationId?: string;
  /** SHA-256 (hex) of the idempotency key; absent without one. */
  keyHash?: string;
  /** Text that determines the place if the device is set in the client. Default: the creation's id. */
  anchor?: string;
}

/** A creation key as it is stored. */
export interface Reserved {
  place: Place;
  version: Version;
  key: CreationKey;
}

export type ReserveOutcome = { reserved: Reserved } | { existing: Reserved };

/** A creation is reserved, and then committed or released. */
export interface Creations {
  /**
   * Writes the key and the guard atomically; retried after concurrent writes of the guard. If the key exists already, the
   * stored key is returned as `existing`, and nothing is written.
   */
  reserve(reservation: Reservation, admit: Admit): Promise<ReserveOutcome>;
  /**
   * Writes a new creation to an existing key, and the guard, atomically. Undefined if the key has changed. Nothing is
   * written if `admit` throws.
   */
  takeOver(existing: Reserved, key: CreationKey, admit: Admit): Promise<Reserved | undefined>;
  /** Whether the key is unchanged since it was read. */
  isCurrent(existing: Reserved): Promise<boolean>;
  /** Removes the key, and leaves the guard. False if the key is gone, is committed or belongs to another creation. */
  release(reserved: Reserved): Promise<boolean>;
  /** Edits the guard that counts the creation; retried after concurrent writes. */
  editGuard(reserved: Reserved, edit: GuardEdit): Promise<void>;
  /**
   * Writes the session's record and completes the key atomically, and writes the pointer from the session's id to the
   * record. False if the key has changed; nothing is written then.
   */
  commit(reserved: Reserved, record: SessionRecord): Promise<boolean>;
  /** The session of a committed creation; restores a pointer that a crash has left unwritten. */
  sessionOf(committed: Reserved): Promise<StoredSession | undefined>;
  /** Removes the key of a creation that was never committed, unless another creation has taken it over. */
  dropKey(place: Place, creationId: string): Promise<void>;
}
