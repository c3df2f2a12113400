declare const kind: unique symbol;

/** Where a creation and its session are stored. Only storage makes and reads it; rules may compare it. */
export type Place = string & { readonly [kind]: "place" };

/** The version of a stored record or image. Only storage makes and reads it; rules may compare it. */
export type Version = string & { readonly [kind]: "version" };

/** A record that was read, and its version. Only storage makes and reads it. */
export interface RecordRef {
  readonly [kind]: "record";
}

/** Any stored item that was read, and its version. Only storage makes and reads it. */
export type ItemRef = string & { readonly [kind]: "item" };

/** Locates a session's record. */
export interface Placed {
  place: Place;
  creationId: string;
  /** RFC 3339. */
  createdOn: string;
}
