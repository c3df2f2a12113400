import type { Ports } from "../model/ports.ts";
import type { AuditRecord, SessionRecord, StoredSession } from "../model/session.ts";
import { refundCreation } from "../open/limits.ts";

/** The images of the attempts in these entries. */
export function imagesOf(entries: readonly AuditRecord[]): string[] {
  return entries.flatMap(({ entry }) => entry.result?.sessionImageId ?? []);
}

export type PurgeDeps = Pick<Ports, "sessions" | "removals" | "sessionImages" | "devices" | "users" | "now">;

/**
 * Removes a session with all references to it.
 *
 * @param keepsUserEntry leaves the session's entry in the list of its user, which the erasure of the user removes last.
 *   Default false.
 * @returns the record as it was removed.
 */
export async function purgeSession(
  { sessions, removals, sessionImages, devices, users, now }: PurgeDeps,
  stored: StoredSession,
  { keepsUserEntry = false } = {},
): Promise<SessionRecord> {
  const { userCorrelationId } = stored.record;
  if (userCorrelationId !== undefined && !keepsUserEntry) await users.remove(userCorrelationId, stored.record);
  // Only sessions of principals have links from their images.
  const linked = stored.record.owner === undefined ? [] : imagesOf(await sessions.auditEntries(stored));
  for (const sessionImageId of linked) await sessionImages.unlink(sessionImageId);
  const record = await removals.purge(stored);
  const { owner, createdOn } = stored.record;
  if (owner !== undefined) await devices.editOwnerGuard(owner, (guard) => refundCreation(guard, createdOn, now()));
  return record;
}
