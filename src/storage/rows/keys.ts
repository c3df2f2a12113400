import { createHash } from "node:crypto";
import { ApiError } from "../../errors.ts";
import { type CountedFor, services } from "../../liveness/model/caller.ts";
import { latestTime } from "../../liveness/model/clock.ts";
import type { HeldImageName } from "../../liveness/model/images.ts";
import type { ItemRef, Place, Placed, RecordRef, Version } from "../../liveness/model/references.ts";
import type { StoredSession } from "../../liveness/model/session.ts";

/** Keys of rows, and ranges of keys. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

// Characters that Azure Tables forbid in keys, the `!` that marks an encoded byte, and the separators at which a parser of
// transactions may end a line.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are forbidden in keys
const forbidden = /[/\\#?!\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * Partition of a device: its id, in which the UTF-8 bytes of forbidden characters are encoded as `!xx`. Different ids have
 * different partitions. Throws `ApiError` 400 for a lone surrogate, which no key can contain.
 */
export function devicePartition(deviceCorrelationId: string): string {
  if (!deviceCorrelationId.isWellFormed()) {
    throw new ApiError(400, "BadArgument", "The correlation id is not well-formed Unicode.");
  }
  return deviceCorrelationId.replace(forbidden, (character) =>
    Array.from(encoder.encode(character), (byte) => `!${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** Partition of an end user, encoded like the partition of a device. */
export const userPartition = devicePartition;

/** Row of the entry of a creation that named a user, newest first. */
export function userEntryRow({ createdOn, creationId }: { createdOn: string; creationId: string }): string {
  return sessionRow(createdOn, creationId).slice(sessionPrefix.length);
}

/** The creation in the key of a user's entry. */
export function creationOfEntry(row: string): { createdOn: string; creationId: string } {
  return { createdOn: sessionCreatedOn(`${sessionPrefix}${row}`), creationId: row.slice(14) };
}

/** The device of a partition; undefined for the partition of a creation without a device, of a user or of an event. */
export function deviceOfPartition(partition: string): string | undefined {
  if (/^!(session|owner|event)_/.test(partition)) return undefined;
  return partition.replace(/(?:![0-9a-f]{2})+/g, (bytes) =>
    decoder.decode(Uint8Array.from(bytes.slice(1).split("!"), (byte) => Number.parseInt(byte, 16))),
  );
}

/** Partition of a creation whose device the client sets later. Device partitions cannot begin with this prefix. */
export function sessionPartition(creationId: string): string {
  return `!session_${creationId}`;
}

export function isSessionPartition(partition: string): boolean {
  return partition.startsWith("!session_");
}

/** Partition of the guard of a user's sessions on all devices. Device partitions cannot begin with this prefix. */
export function ownerPartition(owner: string): string {
  return `!owner_${owner}`;
}

/**
 * Key, in the table of the pointers, of the link from an attempt's image to its session. The image's id comes from the
 * service and may contain any character, so it is hashed. The prefix keeps it apart from the ids of sessions.
 */
export function imageLinkKey(sessionImageId: string): string {
  return `!image_${createHash("sha256").update(sessionImageId).digest("hex")}`;
}

export function isImageLinkKey(key: string): boolean {
  return key.startsWith("!image_");
}

/** Row of the guard for the services' sessions on a device, and for a signed-in user's sessions on all devices. */
export const guardRow = "g";
const guardPrefix = "g_";

/** Row, in a device's partition, of the guard for the services' sessions or for those of one user. */
export function guardRowOf(countedFor: CountedFor): string {
  return countedFor === services ? guardRow : `${guardPrefix}${countedFor}`;
}

const sessionPrefix = "s_";
const keyPrefix = "k_";
const imagePrefix = "i_";

/** Row keys from `from` up to, but not including, `before`. */
export interface RowRange {
  from: string;
  before: string;
}

/** All keys that begin with a prefix that ends in `_`: the character after `_` in the order of the keys is "`". */
function keysWith(prefix: string): RowRange {
  return { from: prefix, before: `${prefix.slice(0, -1)}\`` };
}

export const sessionRows = keysWith(sessionPrefix);
/** All creation keys and sessions of a partition. Only these rows have keys within the range. */
export const keyAndSessionRows: RowRange = { from: keyPrefix, before: sessionRows.before };

/** Inverse of `guardRowOf`. */
export function guardHolder(row: string): CountedFor {
  return row === guardRow ? services : row.slice(guardPrefix.length);
}

/** All guards of a partition. */
export const guardRows: RowRange = { ...keysWith(guardPrefix), from: guardRow };

export function isGuardRow(rowKey: string): boolean {
  return rowKey === guardRow || rowKey.startsWith(guardPrefix);
}

export function isSessionRow(rowKey: string): boolean {
  return rowKey.startsWith(sessionPrefix);
}

/** Row of a session. Tables sort ascending, so the inverted time puts the newest session first. */
export function sessionRow(createdOn: string, creationId: string): string {
  return `${sessionPrefix}${invertedTime(createdOn)}_${creationId}`;
}

/** The time of creation in a session's row key, RFC 3339. */
export function sessionCreatedOn(row: string): string {
  const inverted = /^s_(\d{13})_/.exec(row)?.[1];
  if (inverted === undefined) throw new TypeError("The row is not a session's");
  return new Date(latestTime - Number(inverted)).toISOString();
}

/** Row of an audit entry of the session in `row`. Rows sort by the entries' ids. */
export function auditRow(row: string, entryId: string): string {
  if (!/^\d{1,19}$/.test(entryId)) throw new TypeError("An audit entry's id must be 1 to 19 decimal digits");
  return `${auditPrefix(row)}${entryId.padStart(19, "0")}`;
}

export function auditRows(row: string): RowRange {
  return keysWith(auditPrefix(row));
}

/** Key row of a creation: named by the hash of the idempotency key, or by the creation's id without one. */
export function creationKeyRow(creationId: string, keyHash?: string): string {
  return `${keyPrefix}${keyHash ?? creationId}`;
}

export function isKeyRow(rowKey: string): boolean {
  return rowKey.startsWith(keyPrefix);
}

/**
 * Row of a device's bound image: `i_{id}` for a service's image, `i_{owner}:{id}` for a user's. Ids contain no colon, so
 * different images have different rows.
 */
export function boundImageRow(name: HeldImageName): string {
  const [, ...place] = name.split("/");
  return `${imagePrefix}${place.join(":")}`;
}

/** Inverse of `boundImageRow`; undefined for any other row. */
export function imageOfRow(rowKey: string): HeldImageName | undefined {
  if (!rowKey.startsWith(imagePrefix)) return undefined;
  const [first = "", second] = rowKey.slice(imagePrefix.length).split(":");
  return second === undefined ? `held/${first}` : `held-by/${first}/${second}`;
}

/** The session's row to which an audit entry's row belongs; undefined for any other row. */
export function sessionRowOfAudit(rowKey: string): string | undefined {
  const match = /^a_(.+)_\d{19}$/.exec(rowKey);
  return match === null ? undefined : `${sessionPrefix}${match[1]}`;
}

/** Partition in `expiry`: `{shard}_{bucket}`, with the creation's shard and the 5-minute bucket (UTC) of the time. */
export function expiryPartition(creationId: string, dueOn: string): string {
  return `${shardOf(creationId)}_${bucketOf(dueOn)}`;
}

/** Partitions of a shard (0 to 15) whose bucket has begun at `now`, including `through`. */
export function duePartitions(shard: number, now: string): { from: string; through: string } {
  if (!Number.isInteger(shard) || shard < 0 || shard > 15)
    throw new RangeError("A shard is a whole number from 0 to 15");
  const digit = shard.toString(16);
  return { from: `${digit}_`, through: `${digit}_${bucketOf(now)}` };
}

/** The shard of a creation: one hex digit. The hash spreads any kind of ids evenly. */
export function shardOf(creationId: string): string {
  return createHash("sha256").update(creationId).digest("hex").slice(0, 1);
}

const bucketMs = 5 * 60 * 1000;

function bucketOf(time: string): string {
  const start = new Date(Math.floor(milliseconds(time) / bucketMs) * bucketMs);
  return start.toISOString().replace(/\D/g, "").slice(0, "yyyyMMddHHmm".length);
}

/** The time at which the bucket of a partition begins. */
export function bucketStart(partition: string): string {
  const digits = /^[0-9a-f]_(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(partition);
  if (digits === null) throw new TypeError("The partition is not one of `expiry`");
  const [, year, month, day, hour, minute] = digits;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:00.000Z`).toISOString();
}

/** All partitions of the creation's shard. */
export function shardPartitions(creationId: string): RowRange {
  return keysWith(`${shardOf(creationId)}_`);
}

function auditPrefix(row: string): string {
  return `a_${row.slice(sessionPrefix.length)}_`;
}

/** 13 digits that are smaller for a later time. */
export function invertedTime(time: string): string {
  return String(latestTime - milliseconds(time)).padStart(13, "0");
}

function milliseconds(time: string): number {
  const value = Date.parse(time);
  // Times beyond these bounds would not have 13 digits, and keys would not sort by time.
  if (!(value >= 0 && value <= latestTime)) throw new RangeError(`Not a usable time: ${time}`);
  return value;
}

/**
 * Contents of the references that are opaque in `src/liveness`. Keys contain no slash, so a slash separates the keys
 * in a place.
 */

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
  /** Partition of the key row, if the session was moved to another partition. */
  keyPartition?: string | undefined;
  /** Partition from which the session is being moved to that of its device; some of its rows may still be there. */
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

export function writeItemRef({ partition, row, etag }: RowLocation): ItemRef {
  return JSON.stringify([partition, row, etag]) as ItemRef;
}

export function readItemRef(ref: ItemRef): RowLocation {
  const [partition, row, etag] = JSON.parse(ref);
  return { partition, row, etag };
}
