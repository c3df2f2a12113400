import { unlessUnreadable } from "../../errors.ts";
import { type EventRef, retryOn, type StoredEvent } from "../model/events.ts";
import type { Ports } from "../model/ports.ts";
import type { SessionRecord } from "../model/session.ts";

/** The lists of outcomes and events of all devices. */
export type EventLists = Pick<Ports, "outcomeIndex" | "eventIndex">;

/** Adds events, and the outcomes that they announce, to the lists. */
export async function addToLists(
  { outcomeIndex, eventIndex }: EventLists,
  events: readonly StoredEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const refs = events.map(({ id, occurredOn, place }) => ({ id, occurredOn, place }));
  await Promise.all([outcomeIndex.put(events.flatMap(({ outcome }) => outcome ?? [])), eventIndex.put(refs)]);
}

export async function removeFromLists(
  { outcomeIndex, eventIndex }: EventLists,
  events: readonly StoredEvent[],
): Promise<void> {
  await Promise.all([outcomeIndex.remove(events.flatMap(({ outcome }) => outcome ?? [])), eventIndex.remove(events)]);
}

export type ForgetDeps = EventLists & Pick<Ports, "outbox" | "deliverySchedule">;

/** Removes all entries of a session's events in the schedule of deliveries and in the lists, but not the events. */
export async function forgetEvents(deps: ForgetDeps, record: SessionRecord): Promise<void> {
  const { outbox, deliverySchedule, outcomeIndex, eventIndex } = deps;
  const { decision, events: refs = [] } = record;
  if (decision === undefined) return;
  // The timer removes the entry of a retry of an event that cannot be read.
  const found = await Promise.all(refs.map((ref) => outbox.get(ref).catch(unlessUnreadable)));
  await Promise.all([
    deliverySchedule.remove(refs.flatMap((ref, index) => deliveryEntriesOf(ref, found[index]))),
    outcomeIndex.remove([record]),
    eventIndex.remove(refs),
  ]);
}

/** All entries that an event may have in the schedule of deliveries. */
export function deliveryEntriesOf(ref: EventRef, event: StoredEvent | undefined): { id: string; dueOn: string }[] {
  const { id, occurredOn } = ref;
  const times = [occurredOn, retryOn(ref, 0, Date.parse(occurredOn)), event?.previousDueOn, event?.dueOn];
  return [...new Set(times)].flatMap((dueOn) => (dueOn === undefined ? [] : { id, dueOn }));
}
