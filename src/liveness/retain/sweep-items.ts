import { createSemaphore } from "../../semaphore.ts";
import { dayMs, hourMs, iso } from "../../time.ts";
import type { Ports } from "../model/ports.ts";
import type { FoundItem, ItemOf, WalkedCollection } from "../model/stored-items.ts";
import { sessionLifeMs } from "./retention.ts";
import { walkOn } from "./walk.ts";

export interface SweepItemsDeps
  extends Pick<Ports, "storedItems" | "schedule" | "images" | "bookmarks" | "now" | "retention"> {
  onFailure(failure: { collection?: WalkedCollection; key?: string; cause: unknown }): void;
}

const collections = ["sessions", "sessionids", "users"] as const satisfies WalkedCollection[];
/** Items that are removed between two checks of the deadline. */
const chunkSize = 100;
/** Concurrent reads of images. */
const maxImageReads = 8;

/**
 * Finds the remains of interrupted writes and removals: items without a use are removed, and sessions missing from the
 * schedule are scheduled for the next run. Each item is judged by its age alone: an item of this age should have been
 * removed by another part of the app.
 *
 * @returns how many items were removed or scheduled, and how many of these were scheduled; they are due at once. Failures
 *   are reported to `onFailure`.
 */
export async function sweepItems(
  deps: SweepItemsDeps,
  deadline: number,
): Promise<{ swept: number; scheduled: number }> {
  let swept = 0;
  let scheduled = 0;
  for (const collection of collections) {
    const list = (position: string | undefined) => deps.storedItems.page(collection, position);
    const visit = async (items: FoundItem[]) => {
      const sessions = items.filter((item) => item.kind === "session");
      const lost = await scheduleLost(deps, sessions);
      scheduled += lost;
      return lost + (await sweepPage(deps, items, deadline));
    };
    const onFailure = (failure: { cause: unknown }) => deps.onFailure({ collection, ...failure });
    swept += await walkOn({ ...deps, onFailure }, { name: collection, list, visit }, deadline);
  }
  return { swept, scheduled };
}

async function sweepPage(deps: SweepItemsDeps, items: FoundItem[], deadline: number): Promise<number> {
  for (const item of items) if (item.kind === "unreadable") report(deps, item, item.cause);
  const notes = items.filter((item) => item.kind === "imageNote");
  const outdated = items.filter((item) => isOutdated(deps, item));
  outdated.push(...(await withoutImage(deps, notes, deadline)));
  let swept = 0;
  for (let from = 0; from < outdated.length && deps.now() < deadline; from += chunkSize) {
    const { removed, failures } = await deps.storedItems.remove(outdated.slice(from, from + chunkSize));
    swept += removed;
    for (const { item, cause } of failures) report(deps, item, cause);
  }
  return swept;
}

function isOutdated({ now, retention }: SweepItemsDeps, item: FoundItem): boolean {
  const nowMs = now();
  const keptMs = retention.outcomeDays * dayMs;
  switch (item.kind) {
    case "key":
      // More than 48 hours after the lease of an uncommitted key, every session that was opened with the key has expired.
      return isOlder(item.leaseUntil, item.isCommitted ? keptMs + dayMs : sessionLifeMs + hourMs, nowMs);
    case "guard": {
      const { recent, rejectionsInARow, lockedUntil, changedOn } = item;
      // A younger guard is removed with the last session that it counts.
      const isIdle = recent.every((time) => isOlder(time, keptMs + hourMs, nowMs));
      const isLocked = lockedUntil !== undefined && Date.parse(lockedUntil) > nowMs;
      return isIdle && !isLocked && (rejectionsInARow === 0 || isOlder(changedOn, keptMs, nowMs));
    }
    case "auditEntry":
      return isOlder(item.sessionCreatedOn, keptMs + dayMs, nowMs);
    case "event":
      // Sessions live for two days, within which they are decided.
      return isOlder(item.occurredOn, keptMs + 3 * dayMs, nowMs);
    case "pointer":
    case "imageLink":
    case "userEntry":
      return isOlder(item.createdOn, keptMs + dayMs, nowMs);
    default:
      return false;
  }
}

/** An item without a time counts as older. */
function isOlder(time: string | undefined, ms: number, nowMs: number): boolean {
  return time === undefined || nowMs - Date.parse(time) > ms;
}

/** Notes of images that are gone or bound to another device, except young notes: a note is written before its image. */
async function withoutImage(
  deps: SweepItemsDeps,
  notes: readonly ItemOf<"imageNote">[],
  deadline: number,
): Promise<FoundItem[]> {
  const semaphore = createSemaphore(maxImageReads);
  const old = notes.filter(({ boundOn }) => isOlder(boundOn, hourMs, deps.now()));
  const found = await Promise.all(
    old.map((note) =>
      semaphore.run(async () => {
        try {
          if (deps.now() >= deadline) return [];
          const facts = await deps.images.facts(note.image);
          return facts?.deviceCorrelationId === note.deviceCorrelationId ? [] : note;
        } catch (cause) {
          report(deps, note, cause);
          return [];
        }
      }),
    ),
  );
  return found.flat();
}

/** Schedules the sessions that the timer should have finished or moved, and that have no schedule entry. */
async function scheduleLost(deps: SweepItemsDeps, sessions: readonly ItemOf<"session">[]): Promise<number> {
  const nowMs = deps.now();
  const keptMs = deps.retention.outcomeDays * dayMs;
  const late = sessions.filter(
    ({ placed, tokenExpiresOn, isFinal, isMoving }) =>
      isOlder(placed.createdOn, keptMs + hourMs, nowMs) ||
      ((!isFinal || isMoving) && isOlder(tokenExpiresOn, hourMs, nowMs)),
  );
  if (late.length === 0) return 0;
  // A session that fails is due again within an hour, so its entry is found.
  const until = iso(nowMs + 2 * hourMs);
  const creationIds = late.map(({ placed }) => placed.creationId);
  const lost = await deps.schedule.missing(creationIds, until);
  const dueOn = iso(nowMs);
  const entries = late
    .filter(({ placed }) => lost.has(placed.creationId))
    .map(({ placed }) => ({ ...placed, phase: "collect" as const, dueOn }));
  await deps.schedule.put(...entries);
  return entries.length;
}

function report(deps: SweepItemsDeps, { collection, key }: FoundItem, cause: unknown): void {
  deps.onFailure({ collection, key, cause });
}
