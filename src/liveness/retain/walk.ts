import type { Bookmarks, WalkName } from "../model/bookmarks.ts";
import type { Clock } from "../model/clock.ts";
import type { Page } from "../model/page.ts";

/** A walk through more than one run of the timer has time for. */
export interface Walk<T> {
  /** Names the bookmark. */
  name: WalkName;
  list(place: string | undefined): Promise<Page<T>>;
  /** Answers how many items it has done something about. */
  visit(items: T[]): Promise<number>;
}

/** Pages in one run; the next run goes on from there. */
const maxPages = 5;

/**
 * Goes through the next pages of a walk, until the deadline (milliseconds since the epoch). No bookmark is left when the
 * end is reached.
 *
 * @returns the sum of what `visit` answered. What fails is reported to `onFailure`, and ends the run of the walk.
 */
export async function walkOn<T>(
  deps: { bookmarks: Bookmarks; now: Clock; onFailure(failure: { cause: unknown }): void },
  walk: Walk<T>,
  deadline: number,
): Promise<number> {
  let count = 0;
  try {
    const begin = await deps.bookmarks.read(walk.name);
    let place = begin;
    for (let page = 1; page <= maxPages && deps.now() < deadline; page += 1) {
      const { items, continuationToken } = await walk.list(place);
      count += await walk.visit(items);
      place = continuationToken;
      if (place === undefined) break;
    }
    if (place !== begin) await deps.bookmarks.write(walk.name, place);
  } catch (cause) {
    deps.onFailure({ cause });
  }
  return count;
}
