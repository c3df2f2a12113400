import type { Guard } from "./guard.ts";
import type { HeldImageName } from "./images.ts";
import type { Page } from "./page.ts";
import type { ItemRef, Placed } from "./references.ts";

/** The collections that are scanned. The schedule is not scanned: each of its entries is visited when it is due. */
export type WalkedCollection = "sessions" | "sessionids" | "users";

/** A stored item with the facts that show whether it is still needed. Times are RFC 3339. */
export type FoundItem = ItemFacts & {
  collection: WalkedCollection;
  /** For the log. */
  key: string;
  ref: ItemRef;
};

export type ItemOf<Kind extends ItemFacts["kind"]> = Extract<FoundItem, { kind: Kind }>;

type ItemFacts =
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
  failures: { item: FoundItem; cause: unknown }[];
}

/** All stored items: for the scan that removes those that no other part of the app finds. */
export interface StoredItems {
  /** Up to 1,000 items in the order of their keys, from the beginning or after the last page. */
  page(collection: WalkedCollection, continuationToken?: string): Promise<Page<FoundItem>>;
  /** Removes items in the version that was read: changed ones stay. A failure does not affect the other items. */
  remove(items: readonly FoundItem[]): Promise<Removal>;
}
