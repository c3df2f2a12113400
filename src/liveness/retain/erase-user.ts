import { serverBusy } from "../../api-errors.ts";
import type { UserEntry } from "../model/users.ts";
import { announceErasure } from "./announce-erasure.ts";
import { type Erased, eraseSession } from "./erase-device.ts";
import { findPlaced, type PhaseDeps } from "./phases.ts";

/** Entries that are read at a time. */
const pageSize = 100;
/** Most changes of one entry while its session is erased. A session is moved to its device only once. */
const maxMoves = 10;

/**
 * Erases the user's sessions on all devices, with the images that were uploaded with them, and the live sessions at the
 * service: all sessions whose tokens were delivered before the erasure began. Later sessions may remain, so that continuous
 * creations cannot keep the erasure from ending. A creation's entry in the list of the user is removed last, so that a
 * repeat finds what an interrupted erasure has left.
 *
 * @throws ApiError `ServerBusy` if an entry changes again and again; errors of the service and of storage: a repeat
 *   continues.
 */
export async function eraseUser(deps: PhaseDeps, userCorrelationId: string): Promise<Pick<Erased, "sessions">> {
  let sessions = 0;
  let continuationToken: string | undefined;
  do {
    const page = await deps.users.page(userCorrelationId, { top: pageSize, continuationToken });
    for (const entry of page.items) sessions += await eraseEntry(deps, userCorrelationId, entry);
    ({ continuationToken } = page);
  } while (continuationToken !== undefined);
  await announceErasure(deps, "user", userCorrelationId, { sessions });
  return { sessions };
}

/** Erases the creation of an entry, then the entry. Returns the number of erased sessions. */
async function eraseEntry(deps: PhaseDeps, userCorrelationId: string, found: UserEntry): Promise<number> {
  let sessions = 0;
  let entry: UserEntry | undefined = found;
  for (let moves = 0; moves < maxMoves && entry !== undefined; moves += 1) {
    if (await eraseCreation(deps, entry)) sessions += 1;
    if (await deps.users.remove(userCorrelationId, entry, entry.version)) return sessions;
    // An entry that has changed leads to the place to which the session was moved.
    entry = await deps.users.get(userCorrelationId, entry);
  }
  if (entry === undefined) return sessions;
  throw serverBusy("A session of this user is being changed continuously.");
}

/** Erases the session of an entry. False if there is none: the creation is in progress, or has crashed. */
async function eraseCreation(deps: PhaseDeps, entry: UserEntry): Promise<boolean> {
  const { creationId, place } = entry;
  let stored = await findPlaced(deps, entry);
  if (stored === undefined) {
    // Without its key, a creation in progress fails at its commit.
    await deps.creations.dropKey(place, creationId);
    await deps.images.delete(`sessions/${creationId}`);
    // The creation may have committed before its key was removed.
    stored = await findPlaced(deps, entry);
    if (stored === undefined) {
      await deps.removals.dropPointers({ records: [entry] });
      // The due time depends on the lifetime of the token, which is not stored any more, so all entries are searched for.
      await deps.schedule.removeAll(creationId);
    }
  }
  if (stored === undefined) return false;
  await eraseSession(deps, stored, { keepsUserEntry: true });
  return true;
}
