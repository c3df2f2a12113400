import { compact } from "../../compact.ts";
import { unlessUnreadable } from "../../errors.ts";
import type { StoredEvent } from "../model/events.ts";
import type { Placed } from "../model/references.ts";
import type { Phase, ScheduleEntry } from "../model/schedule.ts";
import { placed, type StoredSession } from "../model/session.ts";
import { addsToRecorded, isComplete, settledSession } from "../result/announce.ts";
import { bindDevice } from "../result/bind-device.ts";
import { endedAttempts, type RecordContext, type RecordResultDeps, recordResult } from "../result/record-result.ts";
import { updateRecord } from "../result/update-record.ts";
import type { EraseDeps } from "./erase-device.ts";
import { deliveryEntriesOf, forgetEvents } from "./event-lists.ts";
import { purgeSession } from "./purge-session.ts";
import { collectDueOn, pruneDueOn, purgeDueOn, sessionLifeMs, tokenIsOver } from "./retention.ts";

/** The phases of a due session. */

export type PhaseDeps = EraseDeps & RecordResultDeps;

export type PhaseOutcome = "collected" | "pruned" | "purged" | "abandoned";

/** Result of a phase. */
export interface Step {
  did?: PhaseOutcome;
  /** The next entry of the session; absent: none. */
  next?: ScheduleEntry;
}

/** The entry in progress, with the facts found since it was read. */
export interface PhaseState {
  entry: ScheduleEntry;
  /** Events to be added to the lists of all devices. */
  events: StoredEvent[];
  /** The events among `events` that are to be delivered. */
  undelivered: StoredEvent[];
}

/** Phases are idempotent, may run concurrently, and throw errors of the service and of storage. */
export const phases: Record<Phase, (deps: PhaseDeps, state: PhaseState) => Promise<Step>> = { collect, prune, purge };

/** Records outcome and audit entries, like `settleSession`. The later phases remove data only after this one. */
async function collect(deps: PhaseDeps, state: PhaseState): Promise<Step> {
  const { entry } = state;
  const { isRecorded, fetched } = await compareRecorded(deps, entry);
  if (isRecorded) return { did: "collected", next: follow(entry, "prune", pruneTime(deps, entry)) };
  const stored = await findPlaced(deps, entry);
  if (stored === undefined) return explainAbsence(deps, state);
  state.entry = { ...entry, session: settledSession(stored.record) };
  // After an interruption, an entry with an earlier outcome would not lead the timer to the events of a later outcome.
  const isScheduled = entry.session?.recorded === undefined;
  const recording = compact({ keepsDecision: true, isScheduled, fetched });
  const {
    events = [],
    pending = [],
    ...recorded
  } = isComplete(stored.record) ? { stored } : await recordResult(deps, stored, recording);
  addEvents(state, events, pending);
  // A process that stopped after it recorded an outcome has not listed and delivered the events.
  const others = (recorded.stored.record.events ?? []).filter((ref) => !events.some(({ id }) => id === ref.id));
  for (const ref of others) {
    const event = await deps.outbox.get(ref).catch(unlessUnreadable);
    if (event === undefined) continue;
    // An event with an entry in the schedule of deliveries is delivered by that entry.
    const isPending = await deps.deliverySchedule.hasAny(deliveryEntriesOf(ref, event));
    addEvents(state, [event], isPending ? [] : [event]);
  }
  const { place, record } = recorded.stored;
  const known = { ...entry, place, session: settledSession(record) };
  if (record.final) {
    if (record.attempts === 0) await restorePointer(deps, stored);
    return { did: "collected", next: follow(known, "prune", pruneTime(deps, entry)) };
  }
  if (!tokenIsOver(record.tokenExpiresOn, deps.now())) {
    return { next: follow(known, "collect", collectDueOn(record.tokenExpiresOn)) };
  }
  // The session was erased or moved while its result was fetched.
  return explainAbsence(deps, state);
}

function addEvents(state: PhaseState, events: readonly StoredEvent[], undelivered = events): void {
  state.events.push(...events);
  state.undelivered.push(...undelivered);
}

/** Compares the schedule entry with the service's attempts: if all are recorded, the record need not be read. */
async function compareRecorded(
  { face, now }: PhaseDeps,
  { createdOn, session }: ScheduleEntry,
): Promise<{ isRecorded: boolean; fetched?: RecordContext["fetched"] }> {
  if (session?.recorded === undefined) return { isRecorded: false };
  const { isComplete, ...recorded } = session.recorded;
  if (isComplete || now() >= Date.parse(createdOn) + sessionLifeMs) return { isRecorded: true };
  const fetched = await face.get(session);
  const ended = endedAttempts(fetched?.value);
  return { isRecorded: ended.length === 0 || !addsToRecorded(ended, recorded), fetched };
}

async function explainAbsence(deps: PhaseDeps, state: PhaseState): Promise<Step> {
  const { entry } = state;
  const current = await deps.schedule.get(entry);
  // Another run or an erasure has removed the entry.
  if (current === undefined) return {};
  if (current.place !== entry.place) {
    // The session was moved to its device concurrently.
    state.entry = { ...entry, place: current.place };
    return collect(deps, state);
  }
  if ((await find(deps, entry)) !== undefined) throw new Error("The session's outcome could not be recorded.");
  // The creation stopped before its commit and may have left a pointer, which `commitBatch` removes for a whole batch.
  await deps.images.delete(`sessions/${entry.creationId}`);
  await deps.creations.dropKey(entry.place, entry.creationId);
  if (entry.userCorrelationId !== undefined) await deps.users.remove(entry.userCorrelationId, entry);
  return { did: "abandoned" };
}

/** Revokes the session at the service and removes its uploaded image. From now on, its age hides it from the Face routes. */
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
  const removed = await Promise.allSettled([
    removeImage(deps, entry),
    deps.now() < expiresMs && deps.face.revoke(session),
  ]);
  for (const removal of removed) if (removal.status === "rejected") throw removal.reason;
  return { did: "pruned", next: follow(entry, "purge", purgeTime(deps, entry)) };
}

/** A creation that stopped between its commit and the pointer has delivered no token, so only unused sessions lack one. */
async function restorePointer({ sessions, removals }: PhaseDeps, stored: StoredSession): Promise<void> {
  if (!(await removals.restorePointer(stored))) return;
  // An erasure may have removed the session meanwhile.
  if ((await sessions.load(placed(stored))) === undefined) await removals.dropPointers({ records: [placed(stored)] });
}

async function purge(deps: PhaseDeps, { entry }: PhaseState): Promise<Step> {
  const dueOn = purgeTime(deps, entry);
  if (Date.parse(dueOn) > deps.now()) return { next: follow(entry, "purge", dueOn) };
  const stored = await findPlaced(deps, entry);
  if (stored === undefined) return {};
  // Entries in the lists need not be removed one by one: the lists of a day are removed as a whole after its retention.
  if (isDecidedLate(stored)) await forgetEvents(deps, stored.record);
  await purgeSession(deps, stored);
  return { did: "purged" };
}

/** Whether events of the session are in lists that are kept longer than the session: the timer was late by days. */
function isDecidedLate({ record }: StoredSession): boolean {
  const latestMs = Date.parse(record.createdOn) + sessionLifeMs;
  return record.events?.some(({ occurredOn }) => Date.parse(occurredOn) > latestMs) === true;
}

/** The session of an entry, even if it was moved to its device after the entry was written. */
export async function find(
  { sessions }: Pick<PhaseDeps, "sessions">,
  entry: Placed & Pick<ScheduleEntry, "session">,
): Promise<StoredSession | undefined> {
  return (await sessions.load(entry)) ?? (entry.session && (await sessions.find(entry.session.sessionId)));
}

/** Like `find`, but finishes an interrupted move of the session to its device first. */
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

/** The session's next entry. @param failures number of successive runs in which the session failed; default: none. */
export function follow(
  { failures: _, ...entry }: ScheduleEntry,
  phase: Phase,
  dueOn: string,
  failures?: number,
): ScheduleEntry {
  return compact({ ...entry, phase, dueOn, failures });
}
