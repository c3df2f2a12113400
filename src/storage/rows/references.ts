import type { Place, Placed, RecordRef, RowRef, Version } from "../../liveness/model/references.ts";
import type { StoredSession } from "../../liveness/model/session.ts";
import { sessionRow } from "./keys.ts";

/** Contents of the opaque references in `src/liveness`. Keys contain no slash, so a slash separates them in a place. */

export interface KeyLocation {
  partition: string;
  idempotencyRowKey: string;
}

export function writePlace({ partition, idempotencyRowKey }: KeyLocation): Place {
  return `${partition}/${idempotencyRowKey}` as Place;
}

export function readPlace(place: Place): KeyLocation {
  const [partition = "", idempotencyRowKey = ""] = place.split("/");
  return { partition, idempotencyRowKey };
}

export interface RowKeys {
  partition: string;
  row: string;
}

/** Keys of a session's record. */
export function recordKeys({ place, creationId, createdOn }: Placed): RowKeys {
  return { partition: readPlace(place).partition, row: sessionRow(createdOn, creationId) };
}

/** Keys and version of a record, and the columns that only storage uses. */
export interface RecordLocation extends KeyLocation, RowKeys {
  etag: string;
  /** Partition of the first row in `expiry` that points to the record. Later rows are in the partitions of their times. */
  expiryPartition: string;
  /** Partition of the key row if it is not the session's: the session was bound to its device later. */
  keyPartition?: string | undefined;
  /** Partition from which the session is being moved to its device's: some of its rows may still be there. */
  movedFrom?: string | undefined;
}

export function locationOf({ ref }: Pick<StoredSession, "ref">): RecordLocation {
  return ref as unknown as RecordLocation;
}

/** The references of a stored session. */
export function located(location: RecordLocation): Pick<StoredSession, "place" | "ref"> {
  return { place: writePlace(location), ref: location as unknown as RecordRef };
}

export const versionOf = (etag: string) => etag as Version;

export interface RowLocation extends RowKeys {
  etag: string;
}

export function writeRowRef({ partition, row, etag }: RowLocation): RowRef {
  return JSON.stringify([partition, row, etag]) as RowRef;
}

export function readRowRef(ref: RowRef): RowLocation {
  const [partition, row, etag] = JSON.parse(ref);
  return { partition, row, etag };
}
