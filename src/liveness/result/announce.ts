import { compact } from "../../compact.ts";
import type { Attempt } from "../../face/model.ts";
import { services } from "../model/caller.ts";
import type { NewId } from "../model/clock.ts";
import {
  type EventRef,
  eventId,
  type LivenessEvent,
  type StoredEvent,
  subjectOf,
  undelivered,
} from "../model/events.ts";
import type { GuardChange } from "../model/guard.ts";
import type { Place } from "../model/references.ts";
import type { RecordedAttempts, ScheduleEntry, SettledSession } from "../model/schedule.ts";
import { attemptsAllowed, type SessionRecord } from "../model/session.ts";
import { collectDueOn, tokenIsOver } from "../retain/retention.ts";

/** The record of a new outcome, and the events to store with the record. */
export interface Announcement {
  record: SessionRecord;
  events: StoredEvent[];
}

/** Facts of an outcome that its events need. */
export interface OutcomeContext {
  place: Place;
  /** Milliseconds since the epoch. */
  nowMs: number;
  /** The id of each event by its number, the same for every try to write the outcome. */
  idOf(index: number): string;
  /** The outcome's change to the guard, if it begins a lockout. */
  lockout?: Pick<GuardChange, "lockedUntil"> | undefined;
}

/** Creates the ids of the events of one outcome. */
export function createEventIds(nowMs: number, newId: NewId): (index: number) => string {
  const ids: string[] = [];
  return (index) => (ids[index] ??= eventId(nowMs, newId()));
}

/**
 * Creates the events of a new outcome, and adds their references to the record. A record with the same decision, reasons
 * and `final` gets no event, unless its device has become known since.
 */
export function announce(before: SessionRecord, after: SessionRecord, context: OutcomeContext): Announcement {
  const { decision } = after;
  const { place, nowMs, idOf, lockout } = context;
  const isKnown = sameOutcome(before, after) && !isMovedSince(before, place);
  if (decision === undefined || isKnown) return { record: after, events: [] };
  // Outcomes of older versions of the app have no revision.
  const revision = (before.revision ?? Number(before.decision !== undefined)) + 1;
  const occurredOn = new Date(nowMs).toISOString();
  const decided = { ...after, decision, revision };
  const facts = [
    {
      ...decidedEvent(decided),
      outcome: outcomeEntry(decided, place, occurredOn),
      next: followingEntry(decided, place),
    },
    ...(lockout?.lockedUntil === undefined ? [] : [lockedOutEvent(after, lockout.lockedUntil)]),
  ];
  const events = facts.map((fact, index) => ({ id: idOf(index), occurredOn, place, ...undelivered, ...fact }));
  const refs = events.map(({ id }): EventRef => ({ id, occurredOn, place }));
  return { record: { ...after, revision, events: [...(before.events ?? []), ...refs] }, events };
}

type Decided = SessionRecord & Required<Pick<SessionRecord, "decision" | "revision">>;

/** Whether the session was moved to its device after its latest outcome was announced, without the device. */
export function isMovedSince({ events = [] }: SessionRecord, place: Place): boolean {
  const latest = events.at(-1);
  return latest !== undefined && latest.place !== place;
}

function sameOutcome(before: SessionRecord, after: SessionRecord): boolean {
  return (
    before.decision === after.decision && before.final === after.final && before.reasons.join() === after.reasons.join()
  );
}

function decidedEvent(record: Decided): Pick<LivenessEvent, "type" | "subject" | "data"> {
  const { sessionId, kind, deviceCorrelationId, userCorrelationId, clientReferenceId, owner } = record;
  const { decision, reasons, final, revision } = record;
  // A signed-in user may name any id, so a receiver that relies on an id needs the owner.
  const ids = compact({ sessionId, kind, deviceCorrelationId, userCorrelationId, clientReferenceId, owner });
  return {
    type: "liveness.session.decided",
    subject: subjectOf(sessionId),
    data: { ...ids, decision, reasons, final, revision },
  };
}

function lockedOutEvent(
  { sessionId, deviceCorrelationId, countedFor }: SessionRecord,
  lockedUntil: string,
): Pick<LivenessEvent, "type" | "subject" | "data"> {
  // The event does not name the user whose sessions are locked out on the device.
  const scope = countedFor === services ? "services" : "user";
  return {
    type: "liveness.device.locked_out",
    subject: subjectOf(sessionId),
    data: compact({ deviceCorrelationId, sessionId, scope, lockedUntil }),
  };
}

/** The session in the lists across devices. @param settledOn when the outcome was recorded. */
export function outcomeEntry(record: Decided, place: Place, settledOn: string) {
  const { creationId, createdOn, sessionId, kind, apiVersion, decision, reasons, final, revision } = record;
  const { deviceCorrelationId, userCorrelationId, clientReferenceId, owner } = record;
  const ids = compact({ deviceCorrelationId, userCorrelationId, clientReferenceId, owner });
  const facts = { creationId, createdOn, place, sessionId, kind, apiVersion, decision, reasons, final, revision };
  return { ...facts, ...ids, settledOn };
}

/** The session's schedule entry for the end of the token, with what the timer would read from the record. */
function followingEntry(record: Decided, place: Place): ScheduleEntry {
  const { creationId, createdOn, tokenExpiresOn, userCorrelationId } = record;
  const recorded = {
    attempts: record.attempts,
    isComplete: isComplete(record),
    isFlagged: record.reasons.includes("AbuseDetected"),
  };
  const session = { ...settledSession(record), ...(record.final && { recorded }) };
  const dueOn = collectDueOn(tokenExpiresOn);
  return compact({ creationId, createdOn, place, phase: "collect" as const, dueOn, session, userCorrelationId });
}

export function settledSession(record: SessionRecord): SettledSession {
  const { sessionId, kind, upstreamVersion, referenceImageId, creationId } = record;
  return { sessionId, kind, upstreamVersion, uploaded: referenceImageId === creationId };
}

/**
 * Whether the record has all attempts. Until the token ends, further attempts are possible even after a result, or after
 * the service did not find the session.
 */
export function isComplete(record: SessionRecord): boolean {
  const { final, attempts, revokedOn, settledOn, tokenExpiresOn } = record;
  if (!final) return false;
  if (revokedOn !== undefined || attempts >= attemptsAllowed(record)) return true;
  return settledOn !== undefined && tokenIsOver(tokenExpiresOn, Date.parse(settledOn));
}

/** Whether the record lacks one of the service's attempts, or a finding of abuse. @param ended attempts that have ended. */
export function addsToRecorded(ended: readonly Attempt[], recorded: Omit<RecordedAttempts, "isComplete">): boolean {
  const isFlagged = ended.some(({ abuseMonitoringResult }) => abuseMonitoringResult?.isAbuseDetected);
  return ended.length !== recorded.attempts || (isFlagged && !recorded.isFlagged);
}

/** The first entry of an event in the schedule of deliveries, which is written before the event. */
export function firstDelivery({ id, occurredOn, place }: EventRef) {
  return { id, occurredOn, place, dueOn: occurredOn };
}
