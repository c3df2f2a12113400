import { compact } from "../../compact.ts";
import { createSemaphore } from "../../semaphore.ts";
import { type Caller, mayUse, ownerFilter } from "../model/caller.ts";
import type { Page } from "../model/page.ts";
import type { Ports } from "../model/ports.ts";
import type { SessionRecord } from "../model/session.ts";

/** Whether the caller is a trusted service or the user who opened the image's session. */
export async function maySeeImage(
  { sessions, sessionImages }: Pick<Ports, "sessions" | "sessionImages">,
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
  { sessions }: Pick<Ports, "sessions">,
  caller: Caller,
  device: string,
  { top, continuationToken }: { top: number; continuationToken?: string | undefined },
): Promise<Page<SessionRecord> | undefined> {
  const page = await sessions.ofDevice(device, top, continuationToken, ownerFilter(caller));
  return unlessUnknown(caller, page, continuationToken);
}

/** Records that are read concurrently. */
const maxReads = 16;

/**
 * A page of the sessions on all devices that name the user and that the caller may see, newest first. Undefined as in
 * `listDeviceSessions`. Creations without a session are left out, so a page may be shorter than `top`.
 */
export async function listUserSessions(
  { users, sessions }: Pick<Ports, "users" | "sessions">,
  caller: Caller,
  userCorrelationId: string,
  query: { top: number; continuationToken?: string | undefined },
): Promise<Page<SessionRecord> | undefined> {
  const { items, continuationToken } = await users.page(userCorrelationId, { ...query, owner: ownerFilter(caller) });
  const semaphore = createSemaphore(maxReads);
  const stored = await Promise.all(items.map((entry) => semaphore.run(() => sessions.load(entry))));
  const page = compact({ items: stored.flatMap((each) => each?.record ?? []), continuationToken });
  return unlessUnknown(caller, page, query.continuationToken);
}

function unlessUnknown<T>({ trusted }: Caller, page: Page<T>, token: string | undefined): Page<T> | undefined {
  // An empty page may be followed by sessions, because creations without a session are left out.
  const isEmpty = page.items.length === 0 && page.continuationToken === undefined;
  return trusted || token !== undefined || !isEmpty ? page : undefined;
}
