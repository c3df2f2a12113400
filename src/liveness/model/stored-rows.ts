import type { Guard } from "./guard.ts";
import type { HeldImageName } from "./images.ts";
import type { Page } from "./page.ts";
import type { Placed, RowRef } from "./references.ts";

/** The collections that are scanned. The schedule is not: each of its entries is visited when it is due. */
export type WalkedTable = "sessions" | "sessionids" | "users";

/** A stored item with the facts that show whether it is still needed. Times are RFC 3339. */
export type FoundRow = RowFacts & {
  table: WalkedTable;
  /** Its key, for the log. */
  row: string;
  ref: RowRef;
};

export type RowOf<Kind extends RowFacts["kind"]> = Extract<FoundRow, { kind: Kind }>;

type RowFacts =
  | { kind: "key"; leaseUntil: string; isCommitted: boolean }
  | ({ kind: "guard" } & Guard)
  | {
      kind: "session";
      placed: Placed;
      tokenExpiresOn: string;
      isFinal: boolean;
      /** See `StoredSession`. */
      isMoving: boolean;
    }
  | { kind: "auditEntry"; sessionCreatedOn: string }
  | { kind: "event"; occurredOn: string }
  | { kind: "imageNote"; image: HeldImageName; deviceCorrelationId: string; boundOn?: string }
  | { kind: "pointer" | "imageLink" | "userEntry"; createdOn?: string }
  | { kind: "unreadable"; cause: unknown };

/** Result of a removal. */
export interface Removal {
  removed: number;
  failures: { row: FoundRow; cause: unknown }[];
}

/** All stored items: for the scan that removes those that no other part of the app finds. */
export interface StoredRows {
  /** Up to 1,000 items in the order of their keys, from the beginning or after the last page. */
  page(table: WalkedTable, continuationToken?: string): Promise<Page<FoundRow>>;
  /** Removes items in the version that was read: changed ones stay. A failure does not affect the other items. */
  remove(rows: readonly FoundRow[]): Promise<Removal>;
}
