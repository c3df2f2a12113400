import { compact } from "../../compact.ts";
import { isCarried } from "../../face/carry-over.ts";
import type { FaceService } from "../../face/client/face-service.ts";
import { type Attempt, auditEntryId, byEntryId, type SessionState } from "../../face/model.ts";
import type { Clock } from "../model/clock.ts";
import type { Devices } from "../model/devices.ts";
import type { Removals } from "../model/removals.ts";
import { type AuditRecord, isUsedUp, type SessionRecord, type StoredSession } from "../model/session.ts";
import type { SessionImages } from "../model/session-images.ts";
import type { Sessions } from "../model/sessions.ts";
import { countOutcome, countsForLockout, type Limits } from "../open/limits.ts";
import { ignoreErrors } from "../open/places.ts";
import { imagesOf } from "../retain/purge-session.ts";
import { tokenIsOver } from "../retain/retention.ts";
import { bindDevice } from "./bind-device.ts";
import { decide, hasIntegrityFailure, sameDigest } from "./decision.ts";
import { updateRecord } from "./update-record.ts";

export interface RecordResultDeps {
  face: FaceService;
  sessions: Sessions;
  removals: Removals;
  devices: Devices;
  sessionImages: SessionImages;
  now: Clock;
  rules: DecisionRules;
  limits: Limits;
}

/** What an operator decides for all sessions. */
export interface DecisionRules {
  /** Without the client's digest nothing is accepted. */
  requireClientDigest: boolean;
}

export interface RecordedResult {
  stored: StoredSession;
  /** The service's response; undefined if it no longer knows the session. */
  state: SessionState | undefined;
  /** The record itself has gone meanwhile. */
  isErased?: true;
  /** The service's `apim-request-id`. */
  requestId?: string;
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
   * Further attempts of a session that has its result are recorded, and its decision stays: unless the image turns out to
   * have been swapped. Default: the latest attempt with a result decides.
   */
  keepsDecision?: boolean;
}

/**
 * Fetches a session's result from the service and records it with its audit entries: the one path for GET, settle,
 * delete and the timer. Writes only what is news.
 */
export async function recordResult(
  deps: RecordResultDeps,
  stored: StoredSession,
  occasion: RecordContext = {},
): Promise<RecordedResult> {
  const { record } = stored;
  const isGone = record.revokedOn !== undefined || deps.now() >= Date.parse(record.expiresOn);
  const answered = isGone ? undefined : await deps.face.get(record);
  const state = answered?.value;
  const ended = endedAttempts(state);
  // Attempts may end in another order than they began, and the service may forget some: the audit trail has all recorded ones.
  const isKnown = record.attempts === 0 || ended.length === record.attempts;
  const trail = isKnown ? [] : (await deps.sessions.auditEntries(stored)).map(({ entry }) => entry);
  const attempts = inOrder([...trail, ...ended]);
  const placed = await bindDevice(deps, stored, state?.deviceCorrelationId, occasion.deviceCorrelationId);
  if (placed === undefined) return { stored, state: undefined, isErased: true };
  const seen: Observation = { ...occasion, state, attempts, nowMs: deps.now(), rules: deps.rules };
  const linked: string[] = [];
  let isBound = false;
  const written = await updateRecord(deps.sessions, placed, async (current) => {
    // Bound by another process in between: it is moved before anything is written.
    isBound = current.deviceCorrelationId !== placed.record.deviceCorrelationId;
    const next = isBound ? undefined : settle(current, seen);
    if (next === undefined) return undefined;
    const entries = newEntries(current, seen, trail);
    linked.push(...(await linkImages(deps.sessionImages, current, entries)));
    const guard = await guardChange(deps, placed, current, next);
    return { record: next, entries, ...(guard && { guard }) };
  });
  // Erased concurrently.
  if (written === undefined) {
    // Or moved to its device, as long as that was not known here.
    const moved = placed.record.deviceCorrelationId === undefined && (await deps.sessions.find(record.sessionId));
    if (moved) return recordResult(deps, moved, occasion);
    for (const sessionImageId of linked) await deps.sessionImages.unlink(sessionImageId);
    return { stored, state: undefined, isErased: true };
  }
  // A concurrent request recorded more attempts than were seen here. Repeat, or this request's context would be lost.
  if (isBound || written.record.attempts > Math.max(attempts.length, record.attempts))
    return recordResult(deps, written, occasion);
  if (state !== undefined) await revokeUsedUp(deps, written.record, state);
  return { stored: written, state, ...(answered?.requestId !== undefined && { requestId: answered.requestId }) };
}

/**
 * Revokes the token once the attempts that the caller allows are used up, if the service would allow more. A session with
 * images of its attempts is not revoked, since the images would be deleted too; its further attempts count for nothing.
 */
async function revokeUsedUp({ face }: RecordResultDeps, record: SessionRecord, state: SessionState): Promise<void> {
  if (!isUsedUp(record) || isCarried("numberOfClientAttemptsAllowed", record.upstreamVersion)) return;
  if (state.attempts.some(({ result }) => result?.sessionImageId !== undefined)) return;
  // A failure does not matter: the next request or the timer revokes the token.
  await ignoreErrors(face.revoke(record));
}

/** What the outcome changes in the guard that counts the session. */
async function guardChange(
  { devices, now, limits }: RecordResultDeps,
  stored: StoredSession,
  before: SessionRecord,
  { decision, deviceCorrelationId }: SessionRecord,
) {
  if (deviceCorrelationId === undefined || decision === undefined) return undefined;
  if (!countsForLockout(before.decision, decision)) return undefined;
  // An acceptance ends the row whatever its length was; a rejection must know it.
  const known = decision === "rejected" ? await devices.guardOf(stored) : undefined;
  const change = countOutcome(known?.guard, decision, now(), limits);
  return { change, ...(known !== undefined && { version: known.version }) };
}

/** Lets a principal find the session that an image of an attempt belongs to. Trusted services need not ask. */
async function linkImages(
  sessionImages: SessionImages,
  { owner, sessionId }: SessionRecord,
  entries: AuditRecord[],
): Promise<string[]> {
  const sessionImageIds = owner === undefined ? [] : imagesOf(entries);
  for (const sessionImageId of sessionImageIds) await sessionImages.link(sessionImageId, sessionId);
  return sessionImageIds;
}

/** All that bears on a session's outcome at one moment. */
export interface Observation extends RecordContext {
  /** Undefined where the service no longer knows the session. */
  state: SessionState | undefined;
  /** Attempts that have ended, ascending: from the service or the audit trail. */
  attempts: readonly Attempt[];
  nowMs: number;
  rules: DecisionRules;
}

/** The record as it should be by what was seen, or undefined where nothing of it is new. Nothing recorded is ever lost. */
export function settle(record: SessionRecord, seen: Observation): SessionRecord | undefined {
  // A concurrent request recorded more attempts: this observation is outdated.
  if (seen.attempts.length < record.attempts) return undefined;
  const { state, nowMs } = seen;
  const over = state === undefined || tokenIsOver(record.tokenExpiresOn, nowMs);
  const revokedOn = record.revokedOn ?? (seen.revoking ? iso(nowMs) : undefined);
  // A digest is an attempt's: without a result there is nothing that it could belong to.
  const hasResult = seen.attempts.some(({ result }) => result !== undefined);
  const clientDigest = (hasResult ? seen.digest : undefined) ?? record.clientDigest;
  const clientError = seen.clientError ?? record.clientError;
  const verdict = decide({
    kind: record.kind,
    attempts: seen.attempts,
    ...compact({
      attemptsAllowed: record.attemptsAllowed,
      expectedClientIpAddress: record.expectedClientIpAddress,
    }),
    threshold: record.threshold ?? 0,
    imageFromClient: record.imageFromClient === true,
    digestIsNew: seen.digest !== undefined && !isRepeatedDigest(record, seen),
    requireClientDigest: seen.rules.requireClientDigest,
    clientFailed: clientError !== undefined,
    closed: record.final || revokedOn !== undefined || over,
    earlierReasons: record.reasons,
    ...(record.referenceImageHash !== undefined && { referenceImageHash: record.referenceImageHash }),
    ...(clientDigest !== undefined && { clientDigest }),
  });
  const startedOn =
    record.startedOn ?? state?.sessionStartDateTime ?? (seen.attempts.length > 0 ? iso(nowMs) : undefined);
  const isKept = seen.keepsDecision && hasOwnResult(record) && !hasIntegrityFailure(verdict.reasons);
  const next: SessionRecord = {
    ...record,
    attempts: seen.attempts.length,
    ...(!isKept && {
      status: revokedOn !== undefined ? "Canceled" : statusOf(record, seen, over),
      final: verdict.final,
      reasons: verdict.reasons,
      ...(verdict.decision !== undefined && { decision: verdict.decision }),
    }),
    ...(revokedOn !== undefined && { revokedOn }),
    ...(startedOn !== undefined && { startedOn }),
    // Of an image that the device has submitted.
    ...(record.verifyReferences === undefined &&
      state?.verifyReferences?.length && { verifyReferences: state.verifyReferences }),
    ...(clientDigest !== undefined && { clientDigest }),
    ...(clientError !== undefined && { clientError }),
  };
  if (sameRecord(next, record)) return undefined;
  return { ...next, ...(verdict.final && { settledOn: iso(nowMs) }) };
}

/** Whether it was decided on a result. One that the service did not know has only expired for us. */
function hasOwnResult({ final, status, decision }: SessionRecord): boolean {
  return final && status !== "Expired" && decision !== undefined;
}

/** A repeated settle request has the digest of its own attempt, even if a further attempt has ended since. */
function isRepeatedDigest({ clientDigest }: SessionRecord, { digest, attempts }: Observation): boolean {
  return digest === clientDigest && attempts.some(({ result }) => sameDigest(result?.digest, digest));
}

function sameRecord(one: SessionRecord, other: SessionRecord): boolean {
  const ordered = (record: SessionRecord) =>
    JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
  return ordered(one) === ordered(other);
}

/** `Expired`: the token ended before the session had a result. The service has no such status. */
function statusOf(record: SessionRecord, { state, attempts }: Observation, over: boolean): string {
  const status = state?.status ?? record.status;
  // `Canceled`: the user gave up. Otherwise the service's status may be that of an attempt which does not count.
  if (status !== "Canceled" && isUsedUp({ ...record, attempts: attempts.length })) {
    const counted = attempts.slice(0, record.attemptsAllowed);
    return counted.some(({ result }) => result !== undefined) ? "Succeeded" : "Failed";
  }
  return over && (status === "NotStarted" || status === "Running") ? "Expired" : status;
}

/** The attempts of a session that have come to an end, with a result or an error. */
export function endedAttempts(state: SessionState | undefined): Attempt[] {
  return (state?.attempts ?? []).filter(({ result, error }) => result !== undefined || error !== undefined);
}

/** Each attempt once, in its latest state, ascending by the id of its entry. */
function inOrder(attempts: readonly Attempt[]): Attempt[] {
  return [...new Map(attempts.map((attempt) => [auditEntryId(attempt), attempt])).values()].sort(byEntryId);
}

/** @param trail what had been recorded before. */
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

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
