import { serverBusy } from "../../api-errors.ts";
import type { UserEntry } from "../model/users.ts";
import { type Erased, eraseSession } from "./erase-device.ts";
import { findPlaced, type PhaseDeps } from "./phases.ts";

/** Entries that are erased in one round. */
const roundSize = 100;
/** Rounds without an end: more than this are caused by concurrent creations. */
const maxRounds = 1000;

/**
 * Erases the user's sessions on all devices, with the images that were uploaded with them, and the live sessions at the
 * service. The entry of a creation is removed after everything else of it, so that a repeat finds what an interrupted
 * erasure has left.
 *
 * @throws ApiError `ServerBusy` if sessions are created concurrently again and again; errors of the service and of
 *   storage: a repeat continues.
 */
export async function eraseUser(deps: PhaseDeps, userCorrelationId: string): Promise<Pick<Erased, "sessions">> {
  let sessions = 0;
  for (let round = 0; round < maxRounds; round += 1) {
    const { items } = await deps.users.page(userCorrelationId, { top: roundSize });
    if (items.length === 0) return { sessions };
    for (const entry of items) {
      if (await eraseCreation(deps, entry)) sessions += 1;
      // An entry that has changed points to the place to which the session was moved: the next round erases it there.
      await deps.users.remove(userCorrelationId, entry, entry.version);
    }
  }
  throw serverBusy("Sessions are being created for this user at once.");
}

/** Erases the session of an entry. False if there is none: the creation is in progress, or has crashed. */
async function eraseCreation(deps: PhaseDeps, entry: UserEntry): Promise<boolean> {
  const { creationId, place } = entry;
  let stored = await findPlaced(deps, entry);
  if (stored === undefined) {
    // Without its key, a creation in progress fails at its commit.
    await deps.creations.dropKey(place, creationId);
    await deps.images.delete(`sessions/${creationId}`);
    // The commit may have come first.
    stored = await findPlaced(deps, entry);
    if (stored === undefined) {
      await deps.removals.dropPointers({ records: [entry] });
      // When the creation is due depends on its token, which no row contains now. The row in the schedule names the user.
      await deps.schedule.removeAll(creationId);
    }
  }
  if (stored === undefined) return false;
  await eraseSession(deps, stored, { keepsUserEntry: true });
  return true;
}
