import { type Caller, mayUse } from "../model/caller.ts";
import type { Page } from "../model/page.ts";
import type { SessionRecord } from "../model/session.ts";
import type { SessionImages } from "../model/session-images.ts";
import type { Sessions } from "../model/sessions.ts";

/** Whether the caller is a trusted service or the user who opened the image's session. */
export async function maySeeImage(
  { sessions, sessionImages }: { sessions: Sessions; sessionImages: SessionImages },
  caller: Caller,
  sessionImageId: string,
): Promise<boolean> {
  if (caller.trusted) return true;
  const sessionId = await sessionImages.sessionOf(sessionImageId);
  const stored = sessionId === undefined ? undefined : await sessions.find(sessionId);
  return stored !== undefined && mayUse(caller, stored.record);
}

/**
 * A page of the device's sessions that the caller may see, newest first. Undefined for a user without sessions on the device,
 * so that users cannot distinguish an unknown device from one of other users.
 */
export async function listDeviceSessions(
  { sessions }: { sessions: Sessions },
  caller: Caller,
  device: string,
  { top, continuationToken }: { top: number; continuationToken?: string | undefined },
): Promise<Page<SessionRecord> | undefined> {
  const owner = caller.trusted ? undefined : (caller.owner ?? "");
  const page = await sessions.ofDevice(device, top, continuationToken, owner);
  const isUnknown = owner !== undefined && continuationToken === undefined && page.items.length === 0;
  return isUnknown ? undefined : page;
}
