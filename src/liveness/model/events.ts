import type { SessionKind } from "../../face/model.ts";
import { latestTime } from "./clock.ts";
import type { Place } from "./references.ts";
import type { ScheduleEntry, UnreadableEntry } from "./schedule.ts";
import type { Decision, SessionRecord } from "./session.ts";

/** What events announce. Consumers ignore types that they do not know. */
export const eventTypes = [
  "liveness.session.decided",
  "liveness.device.locked_out",
  "liveness.device.erased",
  "liveness.user.erased",
  "liveness.webhook.test",
] as const;
export type EventType = (typeof eventTypes)[number];

/**
 * An event as it is delivered. Events may arrive in any order: of a session's events, a later one has a higher
 * `revision`.
 */
export interface LivenessEvent {
  /** UUID version 7. A repeated delivery has the same id. */
  id: string;
  type: EventType;
  /** RFC 3339, UTC. */
  occurredOn: string;
  /** `sessions/{sessionId}`, where the event is about a session. */
  subject?: string;
  /** Ids, kind, decision, reasons: never an image, token, digest, address or claim. */
  data: Record<string, unknown>;
}

/** Locates a stored event. */
export interface EventRef {
  id: string;
  occurredOn: string;
  place: Place;
}

/** A decided session, as the lists across devices show and filter it. */
export interface OutcomeEntry {
  creationId: string;
  createdOn: string;
  /** Of the session's record. */
  place: Place;
  sessionId: string;
  kind: SessionKind;
  apiVersion: string;
  deviceCorrelationId?: string;
  userCorrelationId?: string;
  clientReferenceId?: string;
  /** The principal that opened the session. A principal may name any of the ids above. */
  owner?: string;
  decision: Decision;
  reasons: string[];
  final: boolean;
  /** Number of outcomes recorded for the session, from 1. */
  revision: number;
  /** When this outcome was recorded. RFC 3339. */
  settledOn: string;
}

/** The deliveries of an event to one receiver. */
export interface Delivery {
  /** `failed`: given up, after the last retry or because the receiver wants no more events. */
  state: "delivered" | "pending" | "failed";
  /** RFC 3339, of the latest attempt. */
  triedOn: string;
  /** Short code of the latest failure. */
  cause?: string;
  /** RFC 3339. The receiver asked for no delivery before this time. */
  notBefore?: string;
}

/** The state of an event's deliveries. */
export interface DeliveryState {
  /** By the receiver's name. A receiver without an element has not been tried. */
  deliveries: Record<string, Delivery>;
  /** Attempts by the timer. */
  attempts: number;
  /** The due times of the current entry in the schedule of deliveries, and of the one before it. */
  dueOn?: string;
  previousDueOn?: string;
}

/** The state of an event that was not tried yet. */
export const undelivered: Pick<DeliveryState, "deliveries" | "attempts"> = { deliveries: {}, attempts: 0 };

export interface StoredEvent extends LivenessEvent, EventRef, DeliveryState {
  /** Only in `liveness.session.decided`: the outcome for the lists across devices. */
  outcome?: OutcomeEntry;
  /** Only in `liveness.session.decided`: the session's schedule entry with its recorded attempts. */
  next?: ScheduleEntry;
}

/** The outbox: each event is stored together with the outcome that it announces. */
export interface Outbox {
  get(ref: EventRef): Promise<StoredEvent | undefined>;
  /** Schedules the delivery of an event that announces no outcome, and stores it. */
  put(event: Omit<StoredEvent, "place">): Promise<StoredEvent>;
  /** Replaces the given parts of the state of the deliveries. False if the event is gone. */
  mark(ref: EventRef, state: Partial<DeliveryState>): Promise<boolean>;
  /** The events of a session, also those that its record lacks: an earlier version of the app writes it without them. */
  ofSession(session: Pick<SessionRecord, "creationId" | "sessionId"> & { place: Place }): Promise<EventRef[]>;
  remove(refs: readonly EventRef[]): Promise<void>;
}

/** The timer's entry of an event: to be listed, delivered, or both. */
export interface DeliveryEntry extends EventRef {
  /** RFC 3339. The first entry is due at once. */
  dueOn: string;
  /** The event is in the lists across devices. */
  isListed?: true;
}

/** An entry that was due, and the entry that follows it, if any. */
export interface DeliveryMove {
  due: DeliveryEntry;
  next?: DeliveryEntry;
}

/** The timer's schedule of events. */
export interface DeliverySchedule {
  put(entries: readonly DeliveryEntry[]): Promise<void>;
  /** Writes each `next`, then removes the due entries. Returns the moves whose due entry was already gone. */
  move<T extends DeliveryMove>(moves: readonly T[]): Promise<T[]>;
  /** Entries of one shard (0 to 15) that are due at `now`, oldest first to within five minutes. */
  dueEntries(shard: number, now: string): AsyncIterable<DeliveryEntry | UnreadableEntry>;
  /** Whether one of these entries exists. */
  hasAny(entries: readonly Pick<DeliveryEntry, "id" | "dueOn">[]): Promise<boolean>;
  /** The first entry of the event with this id; undefined once a later entry has replaced it. */
  first(id: string): Promise<DeliveryEntry | undefined>;
  remove(entries: readonly Pick<DeliveryEntry, "id" | "dueOn">[]): Promise<void>;
}

/**
 * Delivers new events at once, within a time that a caller can wait. Never rejects.
 *
 * @returns the events that are still to be delivered to some receiver.
 */
export type Publish = (events: readonly StoredEvent[]) => Promise<StoredEvent[]>;

/** `subject` of a session's events. */
export function subjectOf(sessionId: string): string {
  return `sessions/${sessionId}`;
}

/** Id of an event: a UUID of version 7, whose time leads to the event. @param uuid a random one, of version 4. */
export function eventId(ms: number, uuid: string): string {
  const time = Math.trunc(ms).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${uuid.slice(15)}`;
}

/** The time in an event's id, RFC 3339; undefined if the text is no UUID of version 7, or its time cannot be stored. */
export function eventTime(id: string): string | undefined {
  const [, high, low] = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.exec(id) ?? [];
  const ms = Number.parseInt(`${high}${low}`, 16);
  return ms <= latestTime ? new Date(ms).toISOString() : undefined;
}

/** Delays between successive attempts: the schedule of the Standard Webhooks specification. */
const retryDelaysMs = [5 / 60, 0.5, 2, 5, 10, 14, 20, 24].map((hours) => hours * 3_600_000);
/** Share of a delay by which the retries of different events are spread. */
const jitter = 0.1;

/**
 * When an event is delivered again.
 *
 * @param retries number of retries before.
 * @param sinceMs time of the attempt before, in milliseconds since the epoch.
 * @returns RFC 3339; undefined after the last retry.
 */
export function retryOn({ id }: Pick<EventRef, "id">, retries: number, sinceMs: number): string | undefined {
  const delayMs = retryDelaysMs[retries];
  if (delayMs === undefined) return undefined;
  // The id is random and the same for each call, so that an erasure can compute the event's schedule entry.
  const share = Number.parseInt(id.slice(-4), 16) / 0x1_0000;
  return new Date(sinceMs + Math.round(delayMs * (1 + jitter * share))).toISOString();
}
