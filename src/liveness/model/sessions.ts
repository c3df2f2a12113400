import type { SessionKind } from "../../face/model.ts";
import type { StoredEvent } from "./events.ts";
import type { GuardChange } from "./guard.ts";
import type { Page } from "./page.ts";
import type { Placed, Version } from "./references.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "./session.ts";

/** A session as its pointer describes it: enough for the previews' list. */
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
  /** The list begins after this session id. */
  after?: string;
  /** Only sessions of this principal. */
  owner?: string;
  createdAfter: string;
}

/** The records of sessions, with their audit entries. */
export interface Sessions {
  /** By the service's id, through the pointer. */
  find(sessionId: string): Promise<StoredSession | undefined>;
  /** The session from the cache of this process, if this process recently created it. Storage is not read. */
  cached(sessionId: string): StoredSession | undefined;
  /** By its place. The result has no `prunedOn`, which only the pointer contains. */
  load(at: Placed): Promise<StoredSession | undefined>;
  /**
   * Replaces the record and writes audit entries, atomically unless they are too many, else the entries first. Undefined
   * after a concurrent write.
   *
   * @param guard a change of the session's guard, written in the same transaction. With `version`, the write fails if the
   *   stored guard has another version.
   * @param events are written with the record, atomically.
   */
  update(
    stored: StoredSession,
    record: SessionRecord,
    entries?: readonly AuditRecord[],
    guard?: { change: GuardChange; version?: Version },
    events?: readonly StoredEvent[],
  ): Promise<StoredSession | undefined>;
  /**
   * Newest first, 1 to 100 on a page; with an owner, only sessions of that principal. Throws an `ApiError` for a token
   * that this app has not issued.
   */
  ofDevice(
    deviceCorrelationId: string,
    top: number,
    continuationToken?: string,
    owner?: string,
  ): Promise<Page<SessionRecord>>;
  /** Up to 1,000 sessions of all devices, from the beginning or after the last page. Those that cannot be read are left out. */
  all(continuationToken?: string): Promise<Page<StoredSession>>;
  /** Ascending by session id, without pruned sessions. */
  list(query: ListQuery): Promise<SessionPointer[]>;
  /** Ascending by entry id. */
  auditEntries(stored: StoredSession): Promise<AuditRecord[]>;
  /** One small read. Throws if the sessions cannot be reached. */
  probe(): Promise<void>;
}
