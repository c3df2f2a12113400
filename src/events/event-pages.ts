import { compact } from "../compact.ts";
import { unlessUnreadable } from "../errors.ts";
import type { StoredEvent } from "../liveness/model/events.ts";
import type { Ports } from "../liveness/model/ports.ts";
import { createSemaphore } from "../semaphore.ts";

export interface EventPage {
  events: StoredEvent[];
  /** Cursor after the last event. */
  after?: string;
  isLast: boolean;
  /** All events before this time are listed. */
  asOf?: string;
}

/** Concurrent reads of events. */
const maxReads = 16;

/**
 * Events in the order of their times. Newer events than `asOf` are left out, so that a reader who continues at the cursor
 * misses none.
 *
 * @throws ApiError 400 for a cursor that this service has not issued.
 */
export async function readEventPage(
  { outbox, eventIndex, outcomeIndex }: Pick<Ports, "outbox" | "eventIndex" | "outcomeIndex">,
  { after, top }: { after?: string | undefined; top: number },
): Promise<EventPage> {
  const asOf = await outcomeIndex.completeTo();
  const page = await eventIndex.page({ after, before: asOf ?? new Date(0).toISOString(), top });
  const semaphore = createSemaphore(maxReads);
  // An event that cannot be read does not hide the others.
  const events = await Promise.all(
    page.items.map((ref) => semaphore.run(() => outbox.get(ref)).catch(unlessUnreadable)),
  );
  return compact({
    // The index may have entries of events that were erased or purged.
    events: events.filter((event) => event !== undefined),
    after: page.continuationToken,
    isLast: page.items.length < top,
    asOf,
  });
}
