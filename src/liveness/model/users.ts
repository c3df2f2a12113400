import type { Page } from "./page.ts";
import type { Placed, Version } from "./references.ts";

/** A creation that named the user, with the place of its session. Written before the session exists. */
export interface UserEntry extends Placed {
  version: Version;
}

/** The creations that named an end user, by `userCorrelationId`. */
export interface Users {
  /** @param owner the principal that opens the session. */
  put(userCorrelationId: string, at: Placed, owner?: string): Promise<void>;
  get(userCorrelationId: string, at: Pick<Placed, "creationId" | "createdOn">): Promise<UserEntry | undefined>;
  /** Removes the entry; with `version`, only in this version. False if the entry is gone or has changed. */
  remove(userCorrelationId: string, at: Pick<Placed, "creationId" | "createdOn">, version?: Version): Promise<boolean>;
  /**
   * Newest first, 1 to 100 on a page; with an owner, only entries of that principal. Throws an `ApiError` for a token that
   * this service has not issued.
   */
  page(
    userCorrelationId: string,
    query: { top: number; continuationToken?: string | undefined; owner?: string | undefined },
  ): Promise<Page<UserEntry>>;
}
