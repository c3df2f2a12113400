import { compact } from "../compact.ts";
import { UnreadableItem } from "../errors.ts";
import { type DeliveryEntry, type DeliveryMove, retryOn, type StoredEvent } from "../liveness/model/events.ts";
import type { Ports } from "../liveness/model/ports.ts";
import { type ScheduleEntry, type SettledSession, shards } from "../liveness/model/schedule.ts";
import { addToLists, type EventLists, removeFromLists } from "../liveness/retain/event-lists.ts";
import { createSemaphore } from "../semaphore.ts";
import { pendingTargets } from "./attempt.ts";
import type { DeliveryTarget } from "./delivery-target.ts";

export interface EventDeps extends EventLists, Pick<Ports, "outbox" | "deliverySchedule" | "schedule" | "now"> {
  targets: readonly DeliveryTarget[];
  onFailure(failure: { event?: string; shard?: number; cause: unknown }): void;
}

/** Concurrent reads of events. */
const maxReads = 32;
/** Events of one batch. */
const maxBatch = 100;
/** Age at which an entry without an event is removed: the write of an outcome and its events never takes this long. */
const recordingMs = 10 * 60_000;

/** Time after which an event that could not be read is tried again. */
const unreadableMs = 60 * 60_000;

/** Result of a run of `listEvents`. */
export interface Listed {
  /** Entries whose events are to be delivered now. */
  deliverable: DeliveryEntry[];
  /** Recorded attempts of sessions by creation id, for the sessions' own schedule entries, which may be due in this run. */
  recorded: Map<string, SettledSession>;
  listed: number;
  failed: number;
}

/**
 * Adds new events and their outcomes to the lists across devices, in batches, and writes the recorded attempts of their
 * sessions to the timer's schedule. Repeated, concurrent and interrupted runs are harmless: the entry of an event is
 * replaced or removed after its batch is written.
 *
 * @param now RFC 3339; entries that are due then are visited.
 * @param deadline milliseconds since the epoch; no event is read later. Default: none.
 */
export async function listEvents(deps: EventDeps, now: string, deadline = Number.POSITIVE_INFINITY): Promise<Listed> {
  const total: Listed = { deliverable: [], recorded: new Map(), listed: 0, failed: 0 };
  const semaphore = createSemaphore(maxReads);
  const isOver = () => deps.now() >= deadline;
  await Promise.all(shards.map((shard) => listShard({ ...deps, isOver }, shard, now, semaphore, total)));
  return total;
}

async function listShard(
  deps: EventDeps & { isOver(): boolean },
  shard: number,
  now: string,
  semaphore: ReturnType<typeof createSemaphore>,
  total: Listed,
): Promise<void> {
  const fail = (failure: Parameters<EventDeps["onFailure"]>[0]) => {
    total.failed += 1;
    deps.onFailure(failure);
  };
  const commit = async (entries: DeliveryEntry[]) => {
    const visits = await Promise.all(
      entries.map((due) =>
        semaphore
          .run(async (): Promise<Visit> => (deps.isOver() ? {} : visit(deps, due)))
          .catch((cause: unknown): Visit => {
            fail({ event: due.id, cause });
            // An event that cannot be read must not hold back the time up to which the lists are complete.
            const dueOn = new Date(deps.now() + unreadableMs).toISOString();
            return cause instanceof UnreadableItem ? { move: { due, next: { ...due, dueOn } } } : {};
          }),
      ),
    );
    try {
      await commitVisits(deps, visits);
      total.listed += visits.filter(({ event }) => event !== undefined).length;
      total.deliverable.push(...visits.flatMap(({ deliverable }) => deliverable ?? []));
      for (const { event } of visits) noteRecorded(total.recorded, event?.next);
    } catch (cause) {
      fail({ shard, cause });
    }
  };
  try {
    let batch: DeliveryEntry[] = [];
    for await (const due of deps.deliverySchedule.dueEntries(shard, now)) {
      if (deps.isOver()) break;
      if ("cause" in due) fail({ event: due.creationId, cause: due.cause });
      else if (due.isListed) total.deliverable.push(due);
      else batch.push(due);
      if (batch.length < maxBatch) continue;
      await commit(batch);
      batch = [];
    }
    if (batch.length > 0) await commit(batch);
  } catch (cause) {
    fail({ shard, cause });
  }
}

/** Of several outcomes of a session, the one with the most attempts is kept. */
function noteRecorded(recorded: Listed["recorded"], next: ScheduleEntry | undefined): void {
  const { session, creationId = "" } = next ?? {};
  if (session?.recorded === undefined) return;
  const known = recorded.get(creationId)?.recorded?.attempts ?? -1;
  if (session.recorded.attempts > known) recorded.set(creationId, session);
}

/** Result of the visit of one entry. */
interface Visit extends Partial<Pick<DeliveryMove, "next">> {
  event?: StoredEvent;
  /** Absent: the entry stays. */
  move?: DeliveryMove;
  /** The session's entry in the timer's schedule, with what is recorded. */
  scheduled?: ScheduleEntry;
  deliverable?: DeliveryEntry;
}

async function visit({ targets, outbox, now }: EventDeps, due: DeliveryEntry): Promise<Visit> {
  const event = await outbox.get(due);
  if (event === undefined) {
    // The outcome is still being recorded, or another one was recorded first, or its session was erased.
    return now() - Date.parse(due.occurredOn) > recordingMs ? { move: { due } } : {};
  }
  const { next } = event;
  // Once the token has ended, another phase may have replaced the session's entry.
  const scheduled = next && Date.parse(next.dueOn) > now() ? next : undefined;
  if (pendingTargets(event, targets).length === 0) return compact({ event, move: { due }, scheduled });
  const listed: DeliveryEntry = { ...due, isListed: true };
  const dueOn = retryOn(event, 0, Date.parse(event.occurredOn)) ?? due.dueOn;
  if (Date.parse(dueOn) > now()) return compact({ event, move: { due, next: { ...listed, dueOn } }, scheduled });
  // The entry is not written again: it has the same key, so a write would restore an entry that an erasure has removed.
  return compact({ event, scheduled, deliverable: listed });
}

async function commitVisits(deps: EventDeps, visits: readonly Visit[]): Promise<void> {
  const events = visits.flatMap(({ event }) => event ?? []);
  await Promise.all([
    addToLists(deps, events),
    deps.schedule.put(...visits.flatMap(({ scheduled }) => scheduled ?? [])),
  ]);
  const moves = visits.flatMap(({ move, ...visited }) => (move ? { ...move, ...visited } : []));
  const staying = visits.filter(({ move }) => move === undefined);
  for (const { event, next, scheduled } of [...(await deps.deliverySchedule.move(moves)), ...staying]) {
    // The entry was removed by another run, which writes the same, or by an erasure, after which nothing may remain.
    if (event === undefined || (await deps.outbox.get(event)) !== undefined) continue;
    if (next !== undefined) await deps.deliverySchedule.remove([next]);
    if (scheduled !== undefined) await deps.schedule.remove([scheduled]);
    await removeFromLists(deps, [event]);
  }
}
