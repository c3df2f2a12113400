import type { WalkName } from "../model/bookmarks.ts";
import type { Page } from "../model/page.ts";
import type { Ports } from "../model/ports.ts";

/** A scan that takes several runs of the timer. */
export interface Walk<T> {
  /** Names the bookmark. */
  name: WalkName;
  list(position: string | undefined): Promise<Page<T>>;
  /** Returns the number of items that were changed. */
  visit(items: T[]): Promise<number>;
}

/** Pages in one run; the next run continues after them. */
const maxPages = 5;

/**
 * Visits the next pages of a scan, until the deadline (milliseconds since the epoch). The bookmark is removed at the end
 * of the list.
 *
 * @returns the sum of the results of `visit`. A failure is reported to `onFailure` and ends this run of the scan.
 */
export async function walkOn<T>(
  deps: Pick<Ports, "bookmarks" | "now"> & { onFailure(failure: { cause: unknown }): void },
  walk: Walk<T>,
  deadline: number,
): Promise<number> {
  let count = 0;
  try {
    const begin = await deps.bookmarks.read(walk.name);
    let position = begin;
    for (let page = 1; page <= maxPages && deps.now() < deadline; page += 1) {
      const { items, continuationToken } = await walk.list(position);
      count += await walk.visit(items);
      position = continuationToken;
      if (position === undefined) break;
    }
    if (position !== begin) await deps.bookmarks.write(walk.name, position);
  } catch (cause) {
    deps.onFailure({ cause });
  }
  return count;
}
