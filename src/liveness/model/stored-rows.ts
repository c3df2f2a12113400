import type { Guard } from "./guard.ts";
import type { HeldImageName } from "./images.ts";
import type { Page } from "./page.ts";
import type { Placed, RowRef } from "./references.ts";

/** The tables that a walk goes through. The calendar needs none: each of its rows is looked at when it is due. */
export type WalkedTable = "sessions" | "sessionids" | "users";

/** A row as a walk finds it: what shows whether it is still needed. Times are RFC 3339. */
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
  | { kind: "imageNote"; image: HeldImageName; deviceCorrelationId: string; boundOn?: string }
  | { kind: "pointer" | "imageLink" | "userEntry"; createdOn?: string }
  | { kind: "unreadable"; cause: unknown };

/** What came of removing rows. */
export interface Removal {
  removed: number;
  failures: { row: FoundRow; cause: unknown }[];
}

/** All rows, whatever they belong to: for the walk that removes those that nothing else finds. */
export interface StoredRows {
  /** Up to 1,000 rows in the order of their keys, from the beginning or from where the last page ended. */
  page(table: WalkedTable, continuationToken?: string): Promise<Page<FoundRow>>;
  /** Removes rows in the version that was read: one that has been changed since stays. One that fails stops no other. */
  remove(rows: readonly FoundRow[]): Promise<Removal>;
}
