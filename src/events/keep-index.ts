import type { DeliveryEntry } from "../liveness/model/events.ts";
import type { Ports } from "../liveness/model/ports.ts";
import type { SessionRecord } from "../liveness/model/session.ts";
import { outcomeEntry } from "../liveness/result/announce.ts";
import { walkOn } from "../liveness/retain/walk.ts";
import { dayMs, later } from "../time.ts";
import type { EventDeps } from "./list-events.ts";

export type KeepIndexDeps = EventDeps & Pick<Ports, "sessions" | "bookmarks" | "retention">;

/** Longest time from the time of an outcome to the end of its write, with all retries and differences between clocks. */
const storingMs = 60_000;

/**
 * Removes outcomes from the lists whose retention has ended, and records up to which time the lists are complete. Lists that
 * have no such time, because they are new or an operator has removed them, are built from the records first, over several
 * runs.
 *
 * @param startedOn when the run began, RFC 3339. Schedule entries that were due then have been visited, or still exist.
 * @param deadline milliseconds since the epoch.
 * @param listed events that are in the lists, whether or not a receiver still waits for them.
 */
export async function keepIndex(
  deps: KeepIndexDeps,
  startedOn: string,
  deadline: number,
  listed: readonly Pick<DeliveryEntry, "id">[],
): Promise<void> {
  const { outcomeIndex, schedule, retention } = deps;
  try {
    const keptSince = later(startedOn, -retention.outcomeDays * dayMs);
    await outcomeIndex.removeBefore(keptSince, deadline);
    const isBuilt = (await outcomeIndex.completeTo()) !== undefined || (await build(deps, deadline));
    if (!isBuilt) return;
    // An entry that is still due may belong to an outcome that a process recorded before it stopped, but did not list.
    const oldest = await schedule.oldestDue(startedOn, new Set(listed.map(({ id }) => id)));
    const stored = later(startedOn, -storingMs);
    await outcomeIndex.setCompleteTo(oldest !== undefined && oldest < stored ? oldest : stored);
  } catch (cause) {
    deps.onFailure({ cause });
  }
}

/** Adds the outcomes of further sessions. True after the last of them. */
async function build(deps: KeepIndexDeps, deadline: number): Promise<boolean> {
  const { sessions, outcomeIndex, eventIndex, bookmarks, now } = deps;
  if (now() >= deadline) return false;
  let failed = false;
  const onFailure = ({ cause }: { cause: unknown }) => {
    failed = true;
    deps.onFailure({ cause });
  };
  await walkOn(
    { ...deps, onFailure },
    {
      name: "outcomes",
      async list(position) {
        const page = await sessions.all(position);
        return { ...page, items: page.items.map((stored) => ({ stored, position })) };
      },
      async visit(items) {
        const decided = items.flatMap(({ stored: { record, place } }) => {
          const { decision, settledOn = record.createdOn, revision = 1 } = record;
          return decision === undefined ? [] : outcomeEntry({ ...record, decision, revision }, place, settledOn);
        });
        await outcomeIndex.put(decided);
        // Events of sessions only: those of erasures are announced once and belong to no session.
        await eventIndex.put(items.flatMap(({ stored: { record } }) => record.events ?? []));
        await removeErased(
          deps,
          items.map(({ stored }) => stored.record),
          items[0]?.position,
        );
        return decided.length;
      },
    },
    deadline,
  );
  return !failed && (await bookmarks.read("outcomes")) === undefined;
}

/** Removes from the lists what was erased after its page was read. @param position of the page. */
async function removeErased(
  { sessions, outcomeIndex, eventIndex }: KeepIndexDeps,
  records: readonly SessionRecord[],
  position: string | undefined,
): Promise<void> {
  const decided = records.filter(({ decision }) => decision !== undefined);
  if (decided.length === 0) return;
  const { items } = await sessions.all(position);
  const left = new Set(items.map(({ record }) => record.creationId));
  // A session that was created meanwhile may have moved others to the next page, and one that was named its device is there.
  for (const record of decided.filter(({ creationId }) => !left.has(creationId))) {
    if ((await sessions.find(record.sessionId)) !== undefined) continue;
    await Promise.all([outcomeIndex.remove([record]), eventIndex.remove(record.events ?? [])]);
  }
}
