import { latestTime } from "../../liveness/model/clock.ts";
import { invertedTime, type RowRange } from "./keys.ts";

/** Keys of events in the table `sessions`. */

const eventPrefix = "e_";

/** Row of an event, newest first. */
export function eventRow(occurredOn: string, id: string): string {
  return `${eventPrefix}${invertedTime(occurredOn)}_${id}`;
}

/** All events of a partition. The character after `_` in the order of the keys is "`". */
export const eventRows: RowRange = { from: eventPrefix, before: "e`" };

export function isEventRow(rowKey: string): boolean {
  return rowKey.startsWith(eventPrefix);
}

/** The event in the key of an event's row; undefined for the key of any other row. */
export function eventOfRow(rowKey: string): { id: string; occurredOn: string } | undefined {
  const [, inverted, id] = /^e_(\d{13})_(.+)$/.exec(rowKey) ?? [];
  return id === undefined ? undefined : { id, occurredOn: new Date(latestTime - Number(inverted)).toISOString() };
}

/** Partition of an event that belongs to no device. Device partitions cannot begin with this prefix. */
export function eventPartition(id: string): string {
  return `!event_${id}`;
}
