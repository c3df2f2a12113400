import { compact } from "../../compact.ts";
import { createSemaphore } from "../../semaphore.ts";
import type { Caller } from "../model/caller.ts";
import type { Page } from "../model/page.ts";
import type { SessionRecord } from "../model/session.ts";
import type { Sessions } from "../model/sessions.ts";
import type { Users } from "../model/users.ts";

/** Records that are read concurrently. */
const maxReads = 16;

/**
 * A page of the user's sessions that the caller may see, newest first. Creations that have no session, or none yet, are left
 * out, so that a page may be shorter than `top`.
 */
export async function listUserOutcomes(
  { users, sessions }: { users: Users; sessions: Sessions },
  caller: Caller,
  userCorrelationId: string,
  query: { top: number; continuationToken?: string | undefined },
): Promise<Page<SessionRecord>> {
  const owner = caller.trusted ? undefined : (caller.owner ?? "");
  const { items, continuationToken } = await users.page(userCorrelationId, { ...query, owner });
  const semaphore = createSemaphore(maxReads);
  const stored = await Promise.all(
    items.map(async (entry) => {
      await semaphore.acquire();
      return sessions.load(entry).finally(() => semaphore.release());
    }),
  );
  return { items: stored.flatMap((each) => each?.record ?? []), ...compact({ continuationToken }) };
}
