import { serverBusy } from "../../api-errors.ts";
import type { HeldImageName } from "../model/images.ts";
import type { Ports } from "../model/ports.ts";
import type { EntryKey } from "../model/schedule.ts";
import type { StoredSession } from "../model/session.ts";
import { type AnnounceErasureDeps, announceErasure } from "./announce-erasure.ts";
import { type ForgetDeps, forgetEvents } from "./event-lists.ts";
import { type PurgeDeps, purgeSession } from "./purge-session.ts";
import { collectDueOn, pruneDueOn, purgeDueOn } from "./retention.ts";

export type EraseDeps = AnnounceErasureDeps &
  ForgetDeps &
  PurgeDeps &
  Pick<Ports, "face" | "creations" | "schedule" | "images" | "retention">;

/** Numbers of items that one call has removed. */
export interface Erased {
  sessions: number;
  referenceImages: number;
}

/** Most rounds. Each round after the first removes what concurrent creations have written. */
const maxRounds = 10;

/**
 * Erases everything about a device: sessions at the service, images, records. The target of a reference is removed before
 * the reference, so that a repeat after an interruption finds the rest. Keys are removed first, so that creations in
 * progress fail at their commit. Sessions that were created after the start of the erasure may remain, so that continuous
 * creations cannot keep the erasure from ending.
 *
 * @throws errors of the service and of storage, and `ServerBusy`; a repeat continues where the erasure stopped.
 */
export async function eraseDevice(deps: EraseDeps, deviceCorrelationId: string): Promise<Erased> {
  const erased = await eraseContents(deps, deviceCorrelationId);
  await announceErasure(deps, "device", deviceCorrelationId, erased);
  return erased;
}

async function eraseContents(deps: EraseDeps, deviceCorrelationId: string): Promise<Erased> {
  const erased: Erased = { sessions: 0, referenceImages: 0 };
  const startedMs = deps.now();
  for (let round = 0; round < maxRounds; round += 1) {
    const contents = await deps.devices.contentsOf(deviceCorrelationId);
    if (contents.isEmpty) return erased;
    for (const { key, place } of contents.keys) {
      const { userCorrelationId, creationId, createdOn } = key;
      if (userCorrelationId !== undefined && createdOn !== undefined)
        await deps.users.remove(userCorrelationId, { creationId, createdOn });
      await deps.creations.dropKey(place, key.creationId);
      await deps.images.delete(`sessions/${key.creationId}`);
      await unschedule(deps, [key]);
    }
    // A creation that stopped at its commit may have left a pointer without a record.
    if (contents.keys.some(({ key }) => key.sessionId === undefined)) {
      await deps.removals.dropPointers({ deviceCorrelationId });
    }
    for (const stored of contents.sessions) {
      await eraseSession(deps, stored);
      erased.sessions += 1;
    }
    for (const { name, version } of contents.boundImages) {
      if (await eraseImage(deps, deviceCorrelationId, name)) erased.referenceImages += 1;
      await deps.devices.unbindImage(deviceCorrelationId, name, version);
    }
    await deps.devices.dropRest(contents);
  }
  const { sessions } = await deps.devices.contentsOf(deviceCorrelationId);
  const isComplete = sessions.every(({ record }) => Date.parse(record.createdOn) >= startedMs);
  if (!isComplete) throw serverBusy("Sessions are being bound to this device continuously.");
  return erased;
}

/** False if a concurrent request replaced the image: it is bound to another device, or the next round removes it. */
async function eraseImage({ images }: EraseDeps, device: string, name: HeldImageName): Promise<boolean> {
  const facts = await images.facts(name);
  if (facts?.deviceCorrelationId !== device) return false;
  return images.delete(name, facts.version);
}

/** Erases a session here and at the service. @param options of `purgeSession`. */
export async function eraseSession(
  deps: EraseDeps,
  stored: StoredSession,
  options?: { keepsUserEntry: boolean },
): Promise<void> {
  const { face, images, now, retention } = deps;
  const { record } = stored;
  const { creationId, createdOn, referenceImageId } = record;
  const following = [pruneDueOn, purgeDueOn].map((dueOn) => dueOn(createdOn, retention));
  const entries = [collectDueOn(record.tokenExpiresOn), ...following].map((dueOn) => ({ creationId, dueOn }));
  const mayLive = now() < Date.parse(record.expiresOn);
  await Promise.all([
    mayLive && face.revoke(record),
    referenceImageId === creationId && images.delete(`sessions/${creationId}`),
  ]);
  await unschedule(deps, entries);
  const { events: known = [], revision = Number(record.decision !== undefined) } = record;
  // An earlier version of the app has written the record without its events. Else, none of the device's events is read.
  const isCut = known.length < revision;
  const events = isCut ? await deps.outbox.ofSession({ ...record, place: stored.place }) : known;
  await forgetEvents(deps, { ...record, events });
  if (isCut) await deps.outbox.remove(events);
  const removed = await purgeSession(deps, stored, options);
  // The timer may have written later entries concurrently; entries that it writes after the purge, it removes itself.
  await Promise.all([deps.schedule.remove(entries), forgetEvents(deps, removed)]);
}

/**
 * Removes a creation from the schedule: the given entries or, if none of them exists, every entry, whatever its due
 * time.
 */
async function unschedule({ schedule }: EraseDeps, entries: readonly EntryKey[]): Promise<void> {
  const gone = await schedule.remove(entries);
  const [first] = entries;
  if (first !== undefined && gone.length === entries.length) await schedule.removeAll(first.creationId);
}
