import type { SessionKind } from "../../face/model.ts";
import type { EventRef, OutcomeEntry } from "./events.ts";
import type { Page } from "./page.ts";
import type { Decision } from "./session.ts";

/** Which outcomes to list. Times are RFC 3339; an entry meets every given condition. */
export interface OutcomeQuery {
  /** Created at or after this time. */
  from: string;
  /** Created before this time. */
  to: string;
  decision?: Decision | undefined;
  /** One of the entry's reasons. */
  reason?: string | undefined;
  kind?: SessionKind | undefined;
  apiVersion?: string | undefined;
  clientReferenceId?: string | undefined;
  userCorrelationId?: string | undefined;
  final?: boolean | undefined;
}

/** The outcomes of all devices by day of creation. Entries are copies and can be rebuilt from the records. */
export interface OutcomeIndex {
  /** Inserts or replaces entries in as few requests as possible. An entry replaces only one with a lower revision. */
  put(entries: readonly OutcomeEntry[]): Promise<void>;
  /** Removes entries; missing ones are ignored. */
  remove(entries: readonly Pick<OutcomeEntry, "creationId" | "createdOn">[]): Promise<void>;
  /** Newest first, 1 to 100 on a page. Throws an `ApiError` for a token that this service has not issued for the query. */
  page(query: OutcomeQuery, page: { top: number; continuationToken?: string | undefined }): Promise<Page<OutcomeEntry>>;
  /** All entries of the window, newest first, in lists of up to some thousand, with constant memory. */
  scan(query: OutcomeQuery): AsyncIterable<OutcomeEntry[]>;
  /** All outcomes that were recorded before this time are in the index. Undefined before the first run of the timer. */
  completeTo(): Promise<string | undefined>;
  setCompleteTo(time: string): Promise<void>;
  /** Removes all entries, of outcomes and of events, of the days that end before the time. Returns their number. */
  removeBefore(time: string, deadline: number): Promise<number>;
}

/** All events in the order of their times. An entry contains the location of an event, and none of its data. */
export interface EventIndex {
  put(refs: readonly EventRef[]): Promise<void>;
  remove(refs: readonly EventRef[]): Promise<void>;
  find(id: string): Promise<EventRef | undefined>;
  /**
   * Ascending, from the beginning or after the event of this cursor, up to but not including `before` (RFC 3339).
   * `continuationToken` is the cursor after the last item of the page, absent only if the page is empty and no cursor was given.
   */
  page(query: { after?: string | undefined; before: string; top: number }): Promise<Page<EventRef>>;
}
