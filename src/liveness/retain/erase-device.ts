import { serverBusy } from "../../api-errors.ts";
import type { FaceService } from "../../face/client/face-service.ts";
import { unlessReplaced } from "../images/bound-images.ts";
import type { Clock } from "../model/clock.ts";
import type { Creations } from "../model/creations.ts";
import type { Devices } from "../model/devices.ts";
import type { HeldImageName, Images } from "../model/images.ts";
import type { Removals } from "../model/removals.ts";
import type { DueKey, Schedule } from "../model/schedule.ts";
import type { StoredSession } from "../model/session.ts";
import type { SessionImages } from "../model/session-images.ts";
import type { Sessions } from "../model/sessions.ts";
import type { Users } from "../model/users.ts";
import { purgeSession } from "./purge-session.ts";
import { collectDueOn, pruneDueOn, purgeDueOn, type Retention } from "./retention.ts";

export interface EraseDeps {
  face: FaceService;
  creations: Creations;
  sessions: Sessions;
  removals: Removals;
  schedule: Schedule;
  devices: Devices;
  sessionImages: SessionImages;
  images: Images;
  users: Users;
  now: Clock;
  retention: Retention;
}

/** What an erasure removed, this time. */
export interface Erased {
  sessions: number;
  referenceImages: number;
}

/** Creations may be under way while a device is erased; more rounds than this are no chance. */
const maxRounds = 10;

/**
 * Erases all that is known of a device: sessions that are alive at the service, images, rows. What a row points to goes
 * before the row itself, so that an erasure that was cut short finds the rest when it is repeated. Key rows go first:
 * a creation under way then fails at its commit.
 *
 * @throws errors of the service and of storage; a repeat continues where it stopped.
 */
export async function eraseDevice(deps: EraseDeps, deviceCorrelationId: string): Promise<Erased> {
  const erased: Erased = { sessions: 0, referenceImages: 0 };
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
    // A creation that stopped at its commit may have left a pointer without a row.
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
  throw serverBusy("Sessions are being created for this device at once.");
}

/** A replaced image may be bound to another device now; otherwise the next round removes it. */
async function eraseImage({ images }: EraseDeps, device: string, name: HeldImageName): Promise<boolean> {
  const facts = await images.facts(name);
  if (facts?.deviceCorrelationId !== device) return false;
  return images.delete(name, { ifMatch: facts.etag }).catch(unlessReplaced(false));
}

/** Erases a session here and at the service. @param options of `purgeSession`. */
export async function eraseSession(
  deps: EraseDeps,
  stored: StoredSession,
  options?: { keepsUserEntry: boolean },
): Promise<void> {
  const { face, images, now, retention } = deps;
  const { record } = stored;
  const { creationId, createdOn } = record;
  const following = [pruneDueOn, purgeDueOn].map((dueOn) => dueOn(createdOn, retention));
  const rows = [collectDueOn(record.tokenExpiresOn), ...following].map((dueOn) => ({ creationId, dueOn }));
  const mayLive = now() < Date.parse(record.expiresOn);
  await Promise.all([
    mayLive && face.revoke(record),
    record.referenceImageId === record.creationId && images.delete(`sessions/${record.creationId}`),
  ]);
  await unschedule(deps, rows);
  await purgeSession(deps, stored, options);
  // The timer may have been about to move the row on. Whatever it writes from now on, it takes back by itself.
  await deps.schedule.remove(rows);
}

/** Removes rows of one creation from the schedule. Rows that failed, or were written under other settings, are due at other times. */
export async function unschedule({ schedule }: EraseDeps, rows: readonly DueKey[]): Promise<void> {
  const gone = await schedule.remove(rows);
  const [first] = rows;
  if (first !== undefined && gone.length === rows.length) await schedule.removeAll(first.creationId);
}
