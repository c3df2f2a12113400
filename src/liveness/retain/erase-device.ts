import { ApiError } from "../../errors.ts";
import { unlessReplaced } from "../images/bound-images.ts";
import type { Clock, DeviceStore, FaceService, HeldImageName, ImageStore, SessionStore } from "../model/ports.ts";
import type { StoredSession } from "../model/session.ts";
import { purgeSession } from "./purge-session.ts";
import { pruneDueOn, purgeDueOn, type Retention } from "./retention.ts";

export interface EraseDeps {
  face: FaceService;
  sessions: SessionStore;
  devices: DeviceStore;
  images: ImageStore;
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
 * @throws whatever the service or the storage has to say; repeating continues where it stopped.
 */
export async function eraseDevice(deps: EraseDeps, deviceCorrelationId: string): Promise<Erased> {
  const erased: Erased = { sessions: 0, referenceImages: 0 };
  for (let round = 0; round < maxRounds; round += 1) {
    const contents = await deps.devices.contentsOf(deviceCorrelationId);
    if (contents.isEmpty) return erased;
    for (const { idempotencyRowKey, creationId, expiryPartition } of contents.keys) {
      await deps.sessions.dropKey(contents.partition, idempotencyRowKey, creationId);
      await deps.images.delete(`sessions/${creationId}`);
      if (expiryPartition !== undefined) await unschedule(deps, creationId, [expiryPartition]);
    }
    // A creation that stopped at its commit may have left a pointer that nothing here tells of.
    if (contents.keys.some(({ sessionId }) => sessionId === undefined)) {
      await deps.devices.dropPointers([contents]);
    }
    for (const stored of contents.sessions) {
      await eraseSession(deps, stored);
      erased.sessions += 1;
    }
    for (const { name, etag } of contents.boundImages) {
      if (await eraseImage(deps, deviceCorrelationId, name)) erased.referenceImages += 1;
      await deps.devices.unbindImage(deviceCorrelationId, name, etag);
    }
    await deps.devices.dropRest(contents);
  }
  throw new ApiError(503, "ServerBusy", "Sessions are being created for this device at once.", { retryAfter: "1" });
}

/** An image that was replaced since may be bound to another device by now; if it is not, the next round removes it. */
async function eraseImage({ images }: EraseDeps, device: string, name: HeldImageName): Promise<boolean> {
  const facts = await images.facts(name);
  if (facts?.deviceCorrelationId !== device) return false;
  return images.delete(name, { ifMatch: facts.etag }).catch(unlessReplaced(false));
}

async function eraseSession(deps: EraseDeps, stored: StoredSession): Promise<void> {
  const { face, sessions, images, now, retention } = deps;
  const { record } = stored;
  const { creationId, createdOn } = record;
  const times = [pruneDueOn, purgeDueOn].map((dueOn) => dueOn(createdOn, retention));
  const following = times.map((dueOn) => sessions.expiryPartition(creationId, dueOn));
  const places = [...new Set([record.expiryPartition, ...following])];
  const mayLive = now() < Date.parse(record.expiresOn);
  await Promise.all([
    mayLive && face.revoke(record),
    record.referenceImageId === record.creationId && images.delete(`sessions/${record.creationId}`),
  ]);
  await unschedule(deps, creationId, places);
  await purgeSession(deps, stored);
  // The timer may have been about to move the row on. Whatever it writes from now on, it takes back by itself.
  await sessions.unschedule(places.map((expiryPartition) => ({ creationId, expiryPartition })));
}

/** Removes the rows of `expiry`: the one that the creation wrote, or that the timer wrote in its place. */
async function unschedule({ sessions }: EraseDeps, creationId: string, places: readonly string[]): Promise<void> {
  const gone = await sessions.unschedule(places.map((expiryPartition) => ({ creationId, expiryPartition })));
  // What failed, or was set down for times by other settings, may stand anywhere.
  if (gone.length === places.length) await sessions.dropSchedule(creationId);
}
