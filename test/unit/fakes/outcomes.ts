import type { OutcomeEntry } from "../../../src/liveness/model/events.ts";
import type { OutcomeQuery } from "../../../src/liveness/model/outcome-index.ts";
import { writePlace } from "../../../src/storage/rows/keys.ts";
import type { Hook } from "./calls.ts";
import { createWorld, startOfTime, type World } from "./world.ts";

const minuteMs = 60_000;

/** The outcome of the n-th session, which was created n minutes before the start of time. */
export function outcome(number: number, more: Partial<OutcomeEntry> = {}): OutcomeEntry {
  const creationId = `c0ffee00-0000-4000-8000-${String(number).padStart(12, "0")}`;
  const createdOn = new Date(startOfTime - number * minuteMs).toISOString();
  return {
    creationId,
    createdOn,
    place: writePlace({ partition: "a-device", idempotencyRowKey: `k_${creationId}` }),
    sessionId: `5e551011-0000-4000-8000-${String(number).padStart(12, "0")}`,
    kind: "liveness",
    apiVersion: "v1.2",
    deviceCorrelationId: "a-device",
    decision: "accepted",
    reasons: ["RealFace"],
    final: true,
    revision: 1,
    settledOn: createdOn,
    ...more,
  };
}

/** Outcomes 0 to `count` - 1, the newest first. */
export function outcomes(count: number, more: (number: number) => Partial<OutcomeEntry> = () => ({})): OutcomeEntry[] {
  return Array.from({ length: count }, (_, number) => outcome(number, more(number)));
}

/** The 31 days up to the start of time, which is not included, and conditions. */
export function lastMonth(more: Partial<OutcomeQuery> = {}): OutcomeQuery {
  const to = startOfTime + 1;
  return { from: new Date(to - 31 * 86_400_000).toISOString(), to: new Date(to).toISOString(), ...more };
}

/** The indexes of a new process. */
export function openIndexes(world: World = createWorld(), hook?: Hook) {
  const { deps, calls } = world.start(hook);
  return { world, index: deps.outcomeIndex, events: deps.eventIndex, requests: calls.names };
}

/** All entries of a scan. */
export async function scanned(lists: AsyncIterable<OutcomeEntry[]>): Promise<OutcomeEntry[]> {
  const entries: OutcomeEntry[] = [];
  for await (const list of lists) entries.push(...list);
  return entries;
}
