import type { TableEntity } from "@azure/data-tables";
import * as z from "zod";
import { apiVersions } from "../../face/model.ts";
import {
  type Delivery,
  type DeliveryEntry,
  type DeliveryState,
  type EventRef,
  eventTypes,
  type OutcomeEntry,
  type StoredEvent,
} from "../../liveness/model/events.ts";
import type { Place } from "../../liveness/model/references.ts";
import type { ScheduleEntry } from "../../liveness/model/schedule.ts";
import type { Entity } from "../azure/table.ts";
import { eventRow } from "./event-keys.ts";
import { outcomeFields } from "./index-rows.ts";
import { expiryPartition, readPlace, writePlace } from "./keys.ts";
import { json, readRow, wholeNumber, writeRow } from "./row.ts";
import { settledSchema } from "./rows.ts";

/** Rows of events, and of their entries in the table `expiry`. */

const text = z.string();
const place = z.string().transform((stored) => stored as Place);

const outcomeSchema: z.ZodType<OutcomeEntry> = z.object({
  ...outcomeFields,
  apiVersion: z.enum(apiVersions),
  creationId: text,
  createdOn: text,
  place,
  reasons: z.array(text),
} satisfies Record<keyof OutcomeEntry, z.ZodType>);

const nextSchema: z.ZodType<ScheduleEntry> = z.object({
  creationId: text,
  createdOn: text,
  place,
  phase: z.enum(["collect", "prune", "purge"]),
  dueOn: text,
  session: settledSchema.exactOptional(),
  userCorrelationId: text.exactOptional(),
  failures: z.int().exactOptional(),
} satisfies Record<keyof ScheduleEntry, z.ZodType>);

const deliverySchema: z.ZodType<Delivery> = z.object({
  state: z.enum(["delivered", "pending", "failed"]),
  triedOn: text,
  cause: text.exactOptional(),
  notBefore: text.exactOptional(),
} satisfies Record<keyof Delivery, z.ZodType>);

const eventSchema = z.object({
  type: z.enum(eventTypes),
  id: text,
  occurredOn: text,
  subject: text.exactOptional(),
  data: json(z.record(z.string(), z.unknown())),
  outcome: json(outcomeSchema).exactOptional(),
  next: json(nextSchema).exactOptional(),
  deliveries: json(z.record(z.string(), deliverySchema)),
  attempts: wholeNumber,
  dueOn: text.exactOptional(),
  previousDueOn: text.exactOptional(),
} satisfies Record<Exclude<keyof StoredEvent, "place">, z.ZodType>);

/** Keys of an event's row, which is in the partition of the record that it is about. */
export function eventKeys({ id, occurredOn, place }: EventRef): { partition: string; row: string } {
  return { partition: readPlace(place).partition, row: eventRow(occurredOn, id) };
}

export function writeEvent({ place, ...values }: StoredEvent): TableEntity {
  const { partition, row } = eventKeys({ ...values, place });
  return writeRow(partition, row, values);
}

export function readEvent(entity: Entity): StoredEvent {
  return { ...readRow(eventSchema, entity), place: placeOf(entity.partitionKey) };
}

/** For a merge: the properties that a delivery changes. */
export function writeDeliveryState(ref: EventRef, state: Partial<DeliveryState>): TableEntity {
  const { partition, row } = eventKeys(ref);
  return writeRow(partition, row, state);
}

/** The place of the events in a partition. */
export function placeOf(partition: string): Place {
  return writePlace({ partition, idempotencyRowKey: "" });
}

const phase = "deliver";

/** Condition of the rows of deliveries, among all rows of the table `expiry`. */
export const deliveryRows = { phase };

export function isDeliveryRow(entity: Entity): boolean {
  return entity.phase === phase;
}

const deliverySchemaOfExpiry = z.object({
  partition: text,
  occurredOn: text,
  dueOn: text,
  isListed: z.literal(true).exactOptional(),
});

export function deliveryKeys({ id, dueOn }: Pick<DeliveryEntry, "id" | "dueOn">) {
  return { partition: expiryPartition(id, dueOn), row: id };
}

export function writeDeliveryEntry(entry: DeliveryEntry): TableEntity {
  const { occurredOn, dueOn, isListed } = entry;
  const keys = deliveryKeys(entry);
  return writeRow(keys.partition, keys.row, { phase, ...eventKeys(entry), occurredOn, dueOn, isListed });
}

export function readDeliveryEntry(entity: Entity): DeliveryEntry {
  const { partition, ...entry } = readRow(deliverySchemaOfExpiry, entity);
  return { ...entry, id: entity.rowKey, place: placeOf(partition) };
}
