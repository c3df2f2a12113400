import type { TableEntity } from "@azure/data-tables";
import * as z from "zod";
import { sessionKinds } from "../../face/model.ts";
import type { EventRef, OutcomeEntry } from "../../liveness/model/events.ts";
import { decisions } from "../../liveness/model/session.ts";
import type { Entity } from "../azure/table.ts";
import { creationOfEntry, type RowKeys, type RowRange, readPlace, shardOf, userEntryRow, writePlace } from "./keys.ts";
import { json, readRow, wholeNumber, writeRow } from "./row.ts";

/** Rows of the table `outcomes`: the outcomes of all devices and the events, by day (UTC). */

/** Each day's outcomes have four partitions, because a single partition would limit the rate of writes. */
export const indexShards = [0, 1, 2, 3] as const;

/** The day of a time: `yyyyMMdd`. */
export function dayOf(time: string): string {
  return new Date(time).toISOString().slice(0, "yyyy-MM-dd".length).replaceAll("-", "");
}

/** The partition of one shard of a day's outcomes. */
export function outcomePartition(day: string, shard: number): string {
  return `${day}_${shard}`;
}

/** Keys of an outcome: newest first within the partition. */
export function outcomeKeys(entry: Pick<OutcomeEntry, "creationId" | "createdOn">): RowKeys {
  const shard = Number.parseInt(shardOf(entry.creationId), 16) % indexShards.length;
  return { partition: outcomePartition(dayOf(entry.createdOn), shard), row: userEntryRow(entry) };
}

/** Rows, in every partition, of outcomes whose sessions were created at or after `from` and before `to`. */
export function outcomeRows(from: string, to: string): RowRange {
  // The character after `_` in the order of the keys is "`".
  const behind = (time: string) => `${userEntryRow({ createdOn: time, creationId: "" }).slice(0, -1)}\``;
  return { from: behind(to), before: behind(from) };
}

/** A row key after those of all outcomes created at the time or later, and before those of earlier ones. */
export function rowAfterAll(createdOn: string): string {
  return userEntryRow({ createdOn, creationId: "z" });
}

const text = z.string();

/** Fields of an outcome with the same format here and in the row of its event. */
export const outcomeFields = {
  sessionId: text,
  kind: z.enum(sessionKinds),
  apiVersion: text,
  deviceCorrelationId: text.exactOptional(),
  userCorrelationId: text.exactOptional(),
  clientReferenceId: text.exactOptional(),
  owner: text.exactOptional(),
  decision: z.enum(decisions),
  final: z.boolean(),
  revision: wholeNumber,
  settledOn: text,
};

const outcomeSchema = z.object({
  ...outcomeFields,
  reasons: json(z.array(text)),
  partition: text,
  idempotencyRowKey: text,
} satisfies Record<
  Exclude<keyof OutcomeEntry, "creationId" | "createdOn" | "place"> | "partition" | "idempotencyRowKey",
  z.ZodType
>);

export function writeOutcome(entry: OutcomeEntry): TableEntity {
  const { creationId: _, createdOn: __, place, ...values } = entry;
  const { partition, row } = outcomeKeys(entry);
  return writeRow(partition, row, { ...values, ...readPlace(place) });
}

/** Throws if the row does not hold an outcome. */
export function readOutcome(entity: Entity): OutcomeEntry {
  const { partition, idempotencyRowKey, ...values } = readRow(outcomeSchema, entity);
  return { ...creationOfEntry(entity.rowKey), place: writePlace({ partition, idempotencyRowKey }), ...values };
}

const eventPrefix = "events_";

/** Keys of an event: ascending by time, also across partitions. */
export function listedEventKeys({ id, occurredOn }: Pick<EventRef, "id" | "occurredOn">): RowKeys {
  return { partition: eventDayPartition(occurredOn), row: `${timeKey(occurredOn)}_${id}` };
}

/** The partition of the events of the time's day. */
export function eventDayPartition(time: string): string {
  return `${eventPrefix}${dayOf(time)}`;
}

/** A row key before those of all events at the time or later, and after those of earlier ones. */
export function timeKey(time: string): string {
  return String(Date.parse(time)).padStart(13, "0");
}

/** The time in an event's row key, RFC 3339. */
export function eventTimeOf(row: string): string {
  return new Date(Number(row.slice(0, 13))).toISOString();
}

const eventSchema = z.object({ partition: text, idempotencyRowKey: text });

export function writeEventRef(ref: EventRef): TableEntity {
  const { partition, row } = listedEventKeys(ref);
  return writeRow(partition, row, readPlace(ref.place));
}

/** Throws if the row does not locate an event. */
export function readEventRef(entity: Entity): EventRef {
  const place = writePlace(readRow(eventSchema, entity));
  return { id: entity.rowKey.slice(14), occurredOn: eventTimeOf(entity.rowKey), place };
}

/** Conditions on the partitions of all days before the time's day: of outcomes, and of events. */
export function partitionsBefore(time: string): RowRange[] {
  return [
    { from: "0", before: dayOf(time) },
    { from: eventPrefix, before: eventDayPartition(time) },
  ];
}
