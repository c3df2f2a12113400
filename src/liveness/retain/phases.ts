import { compact } from "../../compact.ts";
import type { Placed } from "../model/references.ts";
import type { Phase, ScheduleEntry, SettledSession } from "../model/schedule.ts";
import { attemptsAllowed, type SessionRecord, type StoredSession } from "../model/session.ts";
import type { Limits } from "../open/limits.ts";
import { bindDevice } from "../result/bind-device.ts";
import { type DecisionRules, recordResult } from "../result/record-result.ts";
import { updateRecord } from "../result/update-record.ts";
import type { EraseDeps } from "./erase-device.ts";
import { purgeSession } from "./purge-session.ts";
import { collectDueOn, pruneDueOn, purgeDueOn, sessionLifeMs, tokenIsOver } from "./retention.ts";

/** The phases of a due session. */

export interface PhaseDeps extends EraseDeps {
  rules: DecisionRules;
  limits: Limits;
}

export type PhaseOutcome = "collected" | "pruned" | "purged" | "abandoned";

/** Result of a phase. */
export interface Step {
  did?: PhaseOutcome;
  /** The entry that follows the due one; absent: none. */
  next?: ScheduleEntry;
}

/** The entry in progress, with the facts found since it was read. */
export interface PhaseState {
  entry: ScheduleEntry;
}

/** Phases are idempotent and may run concurrently. They throw errors of the service and of storage. */
export const phases: Record<Phase, (deps: PhaseDeps, state: PhaseState) => Promise<Step>> = { collect, prune, purge };

/** Records outcome and audit entries like `settleSession`. Nothing is removed before that. */
async function collect(deps: PhaseDeps, state: PhaseState): Promise<Step> {
  const { entry } = state;
  const stored = await findPlaced(deps, entry);
  if (stored === undefined) return explainAbsence(deps, state);
  state.entry = { ...entry, session: settledSession(stored.record) };
  const { place, record } = isSettled(stored.record)
    ? stored
    : (await recordResult(deps, stored, { keepsDecision: true })).stored;
  const known = { ...entry, place, session: settledSession(record) };
  if (record.final) return { did: "collected", next: follow(known, "prune", pruneTime(deps, entry)) };
  if (!tokenIsOver(record.tokenExpiresOn, deps.now())) {
    return { next: follow(known, "collect", collectDueOn(record.tokenExpiresOn)) };
  }
  // The session was erased or moved while its result was fetched.
  return explainAbsence(deps, state);
}

/**
 * Whether no attempt can be missing. Before the token's end, further attempts are possible after a result, and also if the
 * service did not have the session.
 */
function isSettled(record: SessionRecord): boolean {
  const { final, attempts, revokedOn, settledOn, tokenExpiresOn } = record;
  if (!final) return false;
  if (revokedOn !== undefined || attempts >= attemptsAllowed(record)) return true;
  return settledOn !== undefined && tokenIsOver(tokenExpiresOn, Date.parse(settledOn));
}

async function explainAbsence(deps: PhaseDeps, state: PhaseState): Promise<Step> {
  const { entry } = state;
  const current = await deps.schedule.get(entry);
  // Another run or an erasure has removed it.
  if (current === undefined) return {};
  if (current.place !== entry.place) {
    // The session was moved to its device concurrently.
    state.entry = { ...entry, place: current.place };
    return collect(deps, state);
  }
  if ((await find(deps, entry)) !== undefined) throw new Error("The session's outcome could not be recorded.");
  // The creation stopped before its commit. The caller removes a pointer that it may have left, for a batch at once.
  await deps.images.delete(`sessions/${entry.creationId}`);
  await deps.creations.dropKey(entry.place, entry.creationId);
  if (entry.userCorrelationId !== undefined) await deps.users.remove(entry.userCorrelationId, entry);
  return { did: "abandoned" };
}

/** Revokes the session at the service, removes its uploaded image and hides it from the Face routes. */
async function prune(deps: PhaseDeps, state: PhaseState): Promise<Step> {
  const { entry } = state;
  const { session } = entry;
  if (session === undefined) {
    // The entry does not show that the outcome is recorded.
    state.entry = { ...entry, phase: "collect" };
    return collect(deps, state);
  }
  const dueOn = pruneTime(deps, entry);
  if (Date.parse(dueOn) > deps.now()) return { next: follow(entry, "prune", dueOn) };
  const expiresMs = Date.parse(entry.createdOn) + sessionLifeMs;
  const [hidden, ...removed] = await Promise.allSettled([
    hide(deps, entry, session.sessionId),
    removeImage(deps, entry),
    deps.now() < expiresMs && deps.face.revoke(session),
  ]);
  if (hidden.status === "rejected") throw hidden.reason;
  for (const removal of removed) if (removal.status === "rejected") throw removal.reason;
  if (!hidden.value) return { did: "pruned" };
  return { did: "pruned", next: follow(entry, "purge", purgeTime(deps, entry)) };
}

/** False if the session is erased, so that nothing is left to purge. */
async function hide({ sessions, removals, now }: PhaseDeps, entry: ScheduleEntry, sessionId: string): Promise<boolean> {
  const prunedOn = new Date(now()).toISOString();
  if (await removals.markPruned(sessionId, prunedOn)) return true;
  // The session was erased, or its creation stopped between the commit and the pointer.
  const stored = await sessions.load(entry);
  if (stored === undefined) return false;
  await removals.restorePointer(stored, prunedOn);
  if ((await sessions.load(entry)) !== undefined) return true;
  await removals.dropPointers({ records: [entry] });
  return false;
}

async function purge(deps: PhaseDeps, { entry }: PhaseState): Promise<Step> {
  const dueOn = purgeTime(deps, entry);
  if (Date.parse(dueOn) > deps.now()) return { next: follow(entry, "purge", dueOn) };
  const stored = await findPlaced(deps, entry);
  if (stored === undefined) return {};
  await purgeSession(deps, stored);
  return { did: "purged" };
}

/** The session of an entry, also if it has been moved since. */
export async function find(
  { sessions }: Pick<PhaseDeps, "sessions">,
  entry: Placed & Pick<ScheduleEntry, "session">,
): Promise<StoredSession | undefined> {
  return (await sessions.load(entry)) ?? (entry.session && (await sessions.find(entry.session.sessionId)));
}

/** The same; an interrupted move to its device is finished first. */
export async function findPlaced(
  deps: PhaseDeps,
  entry: Placed & Pick<ScheduleEntry, "session">,
): Promise<StoredSession | undefined> {
  const found = await find(deps, entry);
  if (!found?.isMoving) return found;
  const placed = await bindDevice(deps, found);
  // Writing the record removes its reference to the place that it was moved from.
  return placed && updateRecord(deps.sessions, placed, (record) => ({ record }));
}

/** When the session is pruned by the current settings. */
export function pruneTime({ retention }: Pick<PhaseDeps, "retention">, { createdOn }: ScheduleEntry): string {
  return pruneDueOn(createdOn, retention);
}

function purgeTime({ retention }: PhaseDeps, { createdOn }: ScheduleEntry): string {
  return purgeDueOn(createdOn, retention);
}

/** Removes the image that was uploaded with the creation, if any. */
export async function removeImage(
  { images }: Pick<PhaseDeps, "images">,
  { creationId, session }: ScheduleEntry,
): Promise<void> {
  if (session?.uploaded !== false) await images.delete(`sessions/${creationId}`);
}

/** The session's next entry. @param failures successive runs that failed; default: none. */
export function follow(
  { failures: _, ...entry }: ScheduleEntry,
  phase: Phase,
  dueOn: string,
  failures?: number,
): ScheduleEntry {
  return compact({ ...entry, phase, dueOn, failures });
}

function settledSession(record: SessionRecord): SettledSession {
  const { sessionId, kind, upstreamVersion, referenceImageId, creationId } = record;
  return { sessionId, kind, upstreamVersion, uploaded: referenceImageId === creationId };
}
