import type { Clock } from "../model/clock.ts";
import type { Devices } from "../model/devices.ts";
import type { Removals } from "../model/removals.ts";
import type { AuditRecord, StoredSession } from "../model/session.ts";
import type { SessionImages } from "../model/session-images.ts";
import type { Sessions } from "../model/sessions.ts";
import { refundCreation } from "../open/limits.ts";

/** The images of the attempts in these entries. */
export function imagesOf(entries: readonly AuditRecord[]): string[] {
  return entries.flatMap(({ entry }) => entry.result?.sessionImageId ?? []);
}

export interface PurgeDeps {
  sessions: Sessions;
  removals: Removals;
  sessionImages: SessionImages;
  devices: Devices;
  now: Clock;
}

/** Removes a session with all references to it. */
export async function purgeSession(
  { sessions, removals, sessionImages, devices, now }: PurgeDeps,
  stored: StoredSession,
): Promise<void> {
  // Only sessions of principals have links from their images.
  const linked = stored.record.owner === undefined ? [] : imagesOf(await sessions.auditEntries(stored));
  for (const sessionImageId of linked) await sessionImages.unlink(sessionImageId);
  await removals.purge(stored);
  const { owner, createdOn } = stored.record;
  if (owner !== undefined) await devices.editOwnerGuard(owner, (guard) => refundCreation(guard, createdOn, now()));
}
