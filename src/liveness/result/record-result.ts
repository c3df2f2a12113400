import { compact } from "../../compact.ts";
import { isCarried } from "../../face/carry-over.ts";
import type { FaceService } from "../../face/client/face-service.ts";
import { type Attempt, auditEntryId, byEntryId, type SessionState } from "../../face/model.ts";
import { iso } from "../../time.ts";
import type { StoredEvent } from "../model/events.ts";
import type { Ports } from "../model/ports.ts";
import { type AuditRecord, isUsedUp, type SessionRecord, type StoredSession } from "../model/session.ts";
import type { SessionImages } from "../model/session-images.ts";
import type { DecisionRules } from "../model/settings.ts";
import { guardChange, ignoreErrors, newLockout } from "../open/limits.ts";
import { imagesOf } from "../retain/purge-session.ts";
import { tokenIsOver } from "../retain/retention.ts";
import { announce, createEventIds, firstDelivery, isMovedSince } from "./announce.ts";
import { bindDevice } from "./bind-device.ts";
import { decide, type Evidence, hasIntegrityFailure, sameDigest } from "./decision.ts";
import { updateRecord } from "./update-record.ts";

export type RecordResultDeps = Pick<
  Ports,
  | "face"
  | "sessions"
  | "removals"
  | "devices"
  | "sessionImages"
  | "deliverySchedule"
  | "publish"
  | "now"
  | "newId"
  | "rules"
  | "limits"
  | "retention"
>;

export interface RecordedResult {
  stored: StoredSession;
  /** The service's response; undefined if the service no longer has the session. */
  state: SessionState | undefined;
  /** The record was erased concurrently. */
  isErased?: true;
  /** The service's `apim-request-id`. */
  requestId?: string;
  /** Events of the outcome that this call has recorded. */
  events?: StoredEvent[];
  /** The events among `events` that are still to be delivered. */
  pending?: StoredEvent[];
}

/** What the request adds to the service's result. */
export interface RecordContext {
  /** The session is being deleted: whatever its result, it is recorded as `Canceled`. */
  revoking?: boolean;
  /** The device, as the app reports it. */
  deviceCorrelationId?: string;
  /** The client's own digest of the latest attempt. */
  digest?: string;
  /** The client's own error message. */
  clientError?: string;
  /**
   * Records further attempts without changing an earlier decision, except after an integrity failure or a finding of abuse
   * monitoring. Default: the latest attempt with a result decides.
   */
  keepsDecision?: boolean;
  /** The service's response, if the caller has fetched it. Default: it is fetched. */
  fetched?: Awaited<ReturnType<FaceService["get"]>>;
  /**
   * The session's schedule entry leads the timer to the new events, so the events need no entry in the schedule of
   * deliveries before they are stored. Default: false.
   */
  isScheduled?: boolean;
}

/**
 * Fetches a session's result from the service and records it with its audit entries, for reads, settle, deletion and the
 * timer. Writes nothing if the result is already recorded.
 */
export async function recordResult(
  deps: RecordResultDeps,
  stored: StoredSession,
  occasion: RecordContext = {},
): Promise<RecordedResult> {
  const { record } = stored;
  const isGone = record.revokedOn !== undefined || deps.now() >= Date.parse(record.expiresOn);
  const answered = isGone ? undefined : (occasion.fetched ?? (await deps.face.get(record)));
  const state = answered?.value;
  const ended = endedAttempts(state);
  // Attempts may end in another order than they began, and the service may no longer return some; the audit trail has them.
  const isKnown = record.attempts === 0 || ended.length === record.attempts;
  const trail = isKnown ? [] : (await deps.sessions.auditEntries(stored)).map(({ entry }) => entry);
  const attempts = inOrder([...trail, ...ended]);
  const placed = await bindDevice(deps, stored, state?.deviceCorrelationId, occasion.deviceCorrelationId);
  if (placed === undefined) return { stored, state: undefined, isErased: true };
  const seen: Observation = { ...occasion, state, attempts, nowMs: deps.now(), rules: deps.rules };
  const linked: string[] = [];
  const idOf = createEventIds(seen.nowMs, deps.newId);
  let events: StoredEvent[] = [];
  const scheduled = new Map<string, StoredEvent>();
  let isBound = false;
  const written = await updateRecord(deps.sessions, placed, async (current) => {
    // Another process has named the session's device: nothing is written before the session is moved.
    events = [];
    isBound = current.deviceCorrelationId !== placed.record.deviceCorrelationId;
    const { place } = placed;
    const settled = isBound ? undefined : settle(current, seen);
    const isMoved = isMovedSince(current, place);
    const next = settled ?? (!isBound && isMoved ? current : undefined);
    if (next === undefined) return undefined;
    const entries = newEntries(current, seen, trail);
    linked.push(...(await linkImages(deps.sessionImages, current, entries)));
    // The guard of the device does not count an outcome that was recorded without the device.
    const guard = await guardChange(deps, placed, isMoved ? undefined : current.decision, next);
    const announced = announce(current, next, { place, nowMs: seen.nowMs, idOf, lockout: newLockout(guard) });
    ({ events } = announced);
    // The entries are written before the events, so that the timer finds the events even if this process stops.
    const added = occasion.isScheduled ? [] : events.filter(({ id }) => !scheduled.has(id));
    if (added.length > 0) await deps.deliverySchedule.put(added.map(firstDelivery));
    for (const event of added) scheduled.set(event.id, event);
    return compact({
      record: announced.record,
      entries,
      guard: guard && compact({ change: guard.change, version: guard.version }),
      events,
    });
  });
  // The entries of events that were not stored are removed: another outcome was recorded first, or the session was
  // erased. An event was stored if the record refers to it, even if the response of the write was lost.
  const refs = written?.record.events ?? [];
  const unused = [...scheduled.values()].filter((event) => !refs.some(({ id }) => id === event.id));
  if (unused.length > 0) await deps.deliverySchedule.remove(unused.map(firstDelivery));
  if (written === undefined) {
    // The session was erased concurrently, or moved to a device that was not known here.
    const moved = placed.record.deviceCorrelationId === undefined && (await deps.sessions.find(record.sessionId));
    if (moved) return recordResult(deps, moved, occasion);
    for (const sessionImageId of linked) await deps.sessionImages.unlink(sessionImageId);
    return { stored, state: undefined, isErased: true };
  }
  // If a concurrent request recorded more attempts than this one has, this request's context is not yet recorded.
  if (isBound || written.record.attempts > Math.max(attempts.length, record.attempts)) {
    return recordResult(deps, written, occasion);
  }
  const [pending] = await Promise.all([
    deps.publish(events),
    state !== undefined && revokeUsedUp(deps, written.record, state),
  ]);
  return {
    ...compact({ stored: written, requestId: answered?.requestId }),
    state,
    ...(events.length > 0 && { events, pending }),
  };
}

/**
 * Revokes the token once the attempts that the caller allows are used up, if the service would allow more. A session with
 * images of its attempts is not revoked, because the images would be deleted too; its further attempts do not count.
 */
async function revokeUsedUp({ face }: RecordResultDeps, record: SessionRecord, state: SessionState): Promise<void> {
  if (!isUsedUp(record) || isCarried("numberOfClientAttemptsAllowed", record.upstreamVersion)) return;
  if (state.attempts.some(({ result }) => result?.sessionImageId !== undefined)) return;
  // A failure does not matter: the next request or the timer revokes the token.
  await ignoreErrors(face.revoke(record));
}

/** Links images of attempts to a session with an owner, whose access is checked by the links. Returns the images' ids. */
async function linkImages(
  sessionImages: SessionImages,
  { owner, sessionId }: SessionRecord,
  entries: AuditRecord[],
): Promise<string[]> {
  const sessionImageIds = owner === undefined ? [] : imagesOf(entries);
  for (const sessionImageId of sessionImageIds) await sessionImages.link(sessionImageId, sessionId);
  return sessionImageIds;
}

/** What is known of a session at one time, from the service, the audit trail and the request. */
export interface Observation extends RecordContext {
  /** Undefined if the service no longer has the session. */
  state: SessionState | undefined;
  /** Attempts that have ended, ascending: from the service or the audit trail. */
  attempts: readonly Attempt[];
  nowMs: number;
  rules: DecisionRules;
}

/** The record with the observation applied; undefined if nothing changes. Recorded evidence is never removed. */
export function settle(record: SessionRecord, seen: Observation): SessionRecord | undefined {
  // A concurrent request recorded more attempts: this observation is outdated.
  if (seen.attempts.length < record.attempts) return undefined;
  const { state, nowMs } = seen;
  const over = state === undefined || tokenIsOver(record.tokenExpiresOn, nowMs);
  const revokedOn = record.revokedOn ?? (seen.revoking ? iso(nowMs) : undefined);
  // A digest belongs to an attempt with a result; without one it is not recorded.
  const hasResult = seen.attempts.some(({ result }) => result !== undefined);
  const clientDigest = (hasResult ? seen.digest : undefined) ?? record.clientDigest;
  const clientError = seen.clientError ?? record.clientError;
  const evidence: Evidence = compact({
    kind: record.kind,
    attempts: seen.attempts,
    attemptsAllowed: record.attemptsAllowed,
    expectedClientIpAddress: record.expectedClientIpAddress,
    threshold: record.threshold ?? 0,
    imageFromClient: record.imageFromClient === true,
    digestIsNew: seen.digest !== undefined && !isRepeatedDigest(record, seen),
    requireClientDigest: seen.rules.requireClientDigest,
    clientFailed: clientError !== undefined,
    closed: record.final || revokedOn !== undefined || over,
    earlierReasons: record.reasons,
    referenceImageHash: record.referenceImageHash,
    clientDigest,
  });
  const verdict = decide(evidence);
  const startedOn =
    record.startedOn ?? state?.sessionStartDateTime ?? (seen.attempts.length > 0 ? iso(nowMs) : undefined);
  const isAlarming = hasIntegrityFailure(verdict.reasons) || verdict.reasons.includes("AbuseDetected");
  const isKept = seen.keepsDecision && hasOwnResult(record) && !isAlarming;
  const status = revokedOn !== undefined ? "Canceled" : statusOf(record, seen, over);
  // Faces that the service found in an image submitted by the device.
  const found = state?.verifyReferences?.length ? state.verifyReferences : undefined;
  const verifyReferences = record.verifyReferences ?? found;
  const next: SessionRecord = {
    ...record,
    ...compact({ revokedOn, startedOn, clientDigest, clientError, verifyReferences }),
    ...(!isKept && { ...verdict, status }),
    attempts: seen.attempts.length,
  };
  if (sameRecord(next, record)) return undefined;
  return verdict.final ? { ...next, settledOn: iso(nowMs) } : next;
}

/** Whether the session was decided on a result. `Expired` is no result: the service may only no longer have the session. */
function hasOwnResult({ final, status, decision }: SessionRecord): boolean {
  return final && status !== "Expired" && decision !== undefined;
}

/** Whether the digest was recorded before, for its own attempt, which a further attempt may have followed since. */
function isRepeatedDigest({ clientDigest }: SessionRecord, { digest, attempts }: Observation): boolean {
  return digest === clientDigest && attempts.some(({ result }) => sameDigest(result?.digest, digest));
}

function sameRecord(one: SessionRecord, other: SessionRecord): boolean {
  const ordered = (record: SessionRecord) =>
    JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
  return ordered(one) === ordered(other);
}

/** `Expired`: the token ended before the session had a result. The service has no equivalent status. */
function statusOf(record: SessionRecord, { state, attempts }: Observation, over: boolean): string {
  const status = state?.status ?? record.status;
  // Except for `Canceled` (the user gave up), the service's status may be that of a further attempt, which does not count.
  if (status !== "Canceled" && isUsedUp({ ...record, attempts: attempts.length })) {
    const counted = attempts.slice(0, record.attemptsAllowed);
    return counted.some(({ result }) => result !== undefined) ? "Succeeded" : "Failed";
  }
  return over && (status === "NotStarted" || status === "Running") ? "Expired" : status;
}

/** The attempts that have a result or an error. */
export function endedAttempts(state: SessionState | undefined): Attempt[] {
  return (state?.attempts ?? []).filter(({ result, error }) => result !== undefined || error !== undefined);
}

/** Each attempt once, in its latest state, ascending by the id of its entry. */
function inOrder(attempts: readonly Attempt[]): Attempt[] {
  return [...new Map(attempts.map((attempt) => [auditEntryId(attempt), attempt])).values()].sort(byEntryId);
}

/** Audit entries of the attempts that are not in the recorded trail. */
function newEntries(record: SessionRecord, { attempts, nowMs }: Observation, trail: readonly Attempt[]): AuditRecord[] {
  if (attempts.length === record.attempts) return [];
  const known = new Set(trail.map(auditEntryId));
  const added = attempts.filter((attempt) => !known.has(auditEntryId(attempt)));
  return added.map((attempt) => ({
    entryId: auditEntryId(attempt),
    sessionId: record.sessionId,
    receivedOn: attempt.audit?.receivedDateTime ?? iso(nowMs),
    entry: attempt,
  }));
}
