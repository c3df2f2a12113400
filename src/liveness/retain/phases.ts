import type { Placed } from "../model/references.ts";
import type { DueRow, Phase, SettledSession } from "../model/schedule.ts";
import { attemptsAllowed, type SessionRecord, type StoredSession } from "../model/session.ts";
import type { Limits } from "../open/limits.ts";
import { bindDevice } from "../result/bind-device.ts";
import { type DecisionRules, recordResult } from "../result/record-result.ts";
import { updateRecord } from "../result/update-record.ts";
import type { EraseDeps } from "./erase-device.ts";
import { purgeSession } from "./purge-session.ts";
import { collectDueOn, pruneDueOn, purgeDueOn, sessionLifeMs, tokenIsOver } from "./retention.ts";

/** What is to be done for a session whose time has come, and in which order. */

export interface PhaseDeps extends EraseDeps {
  rules: DecisionRules;
  limits: Limits;
}

export type PhaseOutcome = "collected" | "pruned" | "purged" | "abandoned";

/** What came of a phase. */
export interface Step {
  did?: PhaseOutcome;
  /** The row that is to take the place of the one that was due; absent: nothing is. */
  next?: DueRow;
}

/** A row as it is worked on, with what has been learned since it was read. */
export interface PhaseState {
  row: DueRow;
}

/** Phases may be repeated, and run concurrently. They throw errors of the service and of storage. */
export const phases: Record<Phase, (deps: PhaseDeps, stand: PhaseState) => Promise<Step>> = { collect, prune, purge };

/** Records outcome and audit entries, by the same path as settling. Nothing is removed anywhere before that is done. */
async function collect(deps: PhaseDeps, stand: PhaseState): Promise<Step> {
  const { row } = stand;
  const stored = await findPlaced(deps, row);
  if (stored === undefined) return explainAbsence(deps, stand);
  stand.row = { ...row, session: settledSession(stored.record) };
  const { place, record } = isSettled(stored.record)
    ? stored
    : (await recordResult(deps, stored, { keepsDecision: true })).stored;
  const known = { ...row, place, session: settledSession(record) };
  if (record.final) return { did: "collected", next: follow(known, "prune", pruneTime(deps, row)) };
  if (!tokenIsOver(record.tokenExpiresOn, deps.now())) {
    return { next: follow(known, "collect", collectDueOn(record.tokenExpiresOn)) };
  }
  // It was erased or moved while its result was fetched.
  return explainAbsence(deps, stand);
}

/**
 * Whether no attempt can be missing. While the token lived, one that has its result may have been used again, and one that
 * the service did not know may have been used all the same.
 */
function isSettled(record: SessionRecord): boolean {
  const { final, attempts, revokedOn, settledOn, tokenExpiresOn } = record;
  if (!final) return false;
  if (revokedOn !== undefined || attempts >= attemptsAllowed(record)) return true;
  return settledOn !== undefined && tokenIsOver(tokenExpiresOn, Date.parse(settledOn));
}

async function explainAbsence(deps: PhaseDeps, stand: PhaseState): Promise<Step> {
  const { row } = stand;
  const current = await deps.schedule.get(row);
  // Another run or an erasure has finished with it.
  if (current === undefined) return {};
  if (current.place !== row.place) {
    // It was bound to its device meanwhile.
    stand.row = { ...row, place: current.place };
    return collect(deps, stand);
  }
  if ((await find(deps, row)) !== undefined) throw new Error("The session's outcome could not be recorded.");
  // A creation that stopped before its commit. The pointer that it may have left goes with those of others like it.
  await deps.images.delete(`sessions/${row.creationId}`);
  await deps.creations.dropKey(row.place, row.creationId);
  if (row.userCorrelationId !== undefined) await deps.users.remove(row.userCorrelationId, row);
  return { did: "abandoned" };
}

/** Removes what belongs to the session at the service and its image, and hides it from the dialects. */
async function prune(deps: PhaseDeps, stand: PhaseState): Promise<Step> {
  const { row } = stand;
  const { session } = row;
  if (session === undefined) {
    // The row does not show that the outcome is recorded.
    stand.row = { ...row, phase: "collect" };
    return collect(deps, stand);
  }
  const dueOn = pruneTime(deps, row);
  if (Date.parse(dueOn) > deps.now()) return { next: follow(row, "prune", dueOn) };
  const expiresMs = Date.parse(row.createdOn) + sessionLifeMs;
  const [hidden, ...removed] = await Promise.allSettled([
    hide(deps, row, session.sessionId),
    removeImage(deps, row),
    deps.now() < expiresMs && deps.face.revoke(session),
  ]);
  if (hidden.status === "rejected") throw hidden.reason;
  for (const removal of removed) if (removal.status === "rejected") throw removal.reason;
  if (!hidden.value) return { did: "pruned" };
  return { did: "pruned", next: follow(row, "purge", purgeTime(deps, row)) };
}

/** False where the session is gone, so that nothing of it is left to purge. */
async function hide({ sessions, removals, now }: PhaseDeps, row: DueRow, sessionId: string): Promise<boolean> {
  const prunedOn = new Date(now()).toISOString();
  if (await removals.markPruned(sessionId, prunedOn)) return true;
  // Erased, or created by a process that stopped between the commit and the pointer.
  const stored = await sessions.load(row);
  if (stored === undefined) return false;
  await removals.restorePointer(stored, prunedOn);
  if ((await sessions.load(row)) !== undefined) return true;
  await removals.dropPointers({ records: [row] });
  return false;
}

async function purge(deps: PhaseDeps, { row }: PhaseState): Promise<Step> {
  const dueOn = purgeTime(deps, row);
  if (Date.parse(dueOn) > deps.now()) return { next: follow(row, "purge", dueOn) };
  const stored = await findPlaced(deps, row);
  if (stored === undefined) return {};
  await purgeSession(deps, stored);
  return { did: "purged" };
}

/** The session of a due row, also if it has been moved since. */
export async function find(
  { sessions }: Pick<PhaseDeps, "sessions">,
  row: Placed & Pick<DueRow, "session">,
): Promise<StoredSession | undefined> {
  return (await sessions.load(row)) ?? (row.session && (await sessions.find(row.session.sessionId)));
}

/** The same; one whose move to its device was interrupted is moved first. */
export async function findPlaced(
  deps: PhaseDeps,
  row: Placed & Pick<DueRow, "session">,
): Promise<StoredSession | undefined> {
  const found = await find(deps, row);
  if (!found?.isMoving) return found;
  const placed = await bindDevice(deps, found);
  // The record is written without its note of the place that it was moved from.
  return placed && updateRecord(deps.sessions, placed, (record) => ({ record }));
}

/** When the session is to be pruned by the settings as they are now. */
export function pruneTime({ retention }: Pick<PhaseDeps, "retention">, { createdOn }: DueRow): string {
  return pruneDueOn(createdOn, retention);
}

function purgeTime({ retention }: PhaseDeps, { createdOn }: DueRow): string {
  return purgeDueOn(createdOn, retention);
}

/** Removes the image that was uploaded with the creation, if there is one. */
export async function removeImage(
  { images }: Pick<PhaseDeps, "images">,
  { creationId, session }: DueRow,
): Promise<void> {
  if (session?.uploaded !== false) await images.delete(`sessions/${creationId}`);
}

/** The row by which the session is due again. @param failures runs in a row that failed; default: none. */
export function follow({ failures: _, ...row }: DueRow, phase: Phase, dueOn: string, failures?: number): DueRow {
  return { ...row, phase, dueOn, ...(failures !== undefined && { failures }) };
}

function settledSession(record: SessionRecord): SettledSession {
  const { sessionId, kind, upstreamVersion, referenceImageId, creationId } = record;
  return { sessionId, kind, upstreamVersion, uploaded: referenceImageId === creationId };
}
