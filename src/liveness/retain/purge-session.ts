import type { Clock, DeviceStore, SessionStore } from "../model/ports.ts";
import type { AuditRecord, StoredSession } from "../model/session.ts";
import { refundCreation } from "../open/limits.ts";

/** The images of the attempts that these entries tell of. */
export function imagesOf(entries: readonly AuditRecord[]): string[] {
  return entries.flatMap(({ entry }) => entry.result?.sessionImageId ?? []);
}

/** Removes a session with everything that points to it. */
export async function purgeSession(
  { sessions, devices, now }: { sessions: SessionStore; devices: DeviceStore; now: Clock },
  stored: StoredSession,
): Promise<void> {
  // Only what belongs to a principal has links from its images.
  const linked = stored.record.owner === undefined ? [] : imagesOf(await sessions.auditEntries(stored));
  for (const sessionImageId of linked) await devices.unlinkImage(sessionImageId);
  await sessions.purge(stored);
  const { owner, createdOn } = stored.record;
  if (owner !== undefined) await devices.updateOwnerGuard(owner, (guard) => refundCreation(guard, createdOn, now()));
}
