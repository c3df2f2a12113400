import { compact } from "../../compact.ts";
import type { Attempt } from "../../face/model.ts";
import { services } from "../model/caller.ts";
import type { NewId } from "../model/clock.ts";
import { type EventRef, eventId, type LivenessEvent, type StoredEvent, undelivered } from "../model/events.ts";
import type { GuardChange } from "../model/guard.ts";
import type { Place } from "../model/references.ts";
import type { RecordedAttempts, ScheduleEntry, SettledSession } from "../model/schedule.ts";
import { attemptsAllowed, type SessionRecord } from "../model/session.ts";
import { collectDueOn, tokenIsOver } from "../retain/retention.ts";

/** A new outcome's record, with the events that are stored with it. */
export interface Announcement {
  record: SessionRecord;
  events: StoredEvent[];
}

/** The moment of an outcome. */
export interface Occasion {
  place: Place;
  /** Milliseconds since the epoch. */
  nowMs: number;
  /** An id for each event, the same for every try to write the outcome. */
  idOf(index: number): string;
  /** The outcome's change to the guard of its device. */
  lockout?: Pick<GuardChange, "lockedUntil"> | undefined;
}

/** Ids of the events of one outcome. */
export function createEventIds(nowMs: number, newId: NewId): (index: number) => string {
  const ids: string[] = [];
  return (index) => (ids[index] ??= eventId(nowMs, newId()));
}

/**
 * Adds the events of a new outcome: for a record with the same decision, reasons and finality there are none, unless its device
 * has become known since.
 */
export function announce(before: SessionRecord, after: SessionRecord, occasion: Occasion): Announcement {
  const { decision } = after;
  const { place, nowMs, idOf, lockout } = occasion;
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
  // A user may name any id. A receiver that relies on one compares the owner, as with the app's own resources.
  const ids = compact({ sessionId, kind, deviceCorrelationId, userCorrelationId, clientReferenceId, owner });
  return {
    type: "liveness.session.decided",
    subject: `sessions/${sessionId}`,
    data: { ...ids, decision, reasons, final, revision },
  };
}

function lockedOutEvent(
  { sessionId, deviceCorrelationId, countedFor }: SessionRecord,
  lockedUntil: string,
): Pick<LivenessEvent, "type" | "subject" | "data"> {
  // The user is not named: only that the lock-out is that of one user on the device.
  const scope = countedFor === services ? "services" : "user";
  return {
    type: "liveness.device.locked_out",
    subject: `sessions/${sessionId}`,
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

/** The schedule entry with which the timer need not read the record when the token has ended. */
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
 * Whether no attempt can be missing. Before the token's end, further attempts are possible after a result, and also if the
 * service did not have the session.
 */
export function isComplete(record: SessionRecord): boolean {
  const { final, attempts, revokedOn, settledOn, tokenExpiresOn } = record;
  if (!final) return false;
  if (revokedOn !== undefined || attempts >= attemptsAllowed(record)) return true;
  return settledOn !== undefined && tokenIsOver(tokenExpiresOn, Date.parse(settledOn));
}

/** Whether the service's attempts add anything to what is recorded. @param ended attempts that have ended. */
export function addsToRecorded(ended: readonly Attempt[], recorded: Omit<RecordedAttempts, "isComplete">): boolean {
  const isFlagged = ended.some(({ abuseMonitoringResult }) => abuseMonitoringResult?.isAbuseDetected);
  return ended.length !== recorded.attempts || (isFlagged && !recorded.isFlagged);
}

/** The schedule's first entry of an event, written before the event itself. */
export function firstDelivery({ id, occurredOn, place }: EventRef) {
  return { id, occurredOn, place, dueOn: occurredOn };
}
