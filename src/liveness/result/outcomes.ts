import { compact } from "../../compact.ts";
import { dayMs, iso } from "../../time.ts";
import type { OutcomeEntry } from "../model/events.ts";
import type { OutcomeQuery } from "../model/outcome-index.ts";
import type { Ports } from "../model/ports.ts";
import { type Decision, decisions } from "../model/session.ts";

export type OutcomesDeps = Pick<Ports, "outcomeIndex" | "retention" | "now">;

/** Outcomes that were created before this time are past their retention and not shown, even if they still exist. */
function oldestShown({ retention, now }: OutcomesDeps): string {
  return iso(now() - retention.outcomeDays * dayMs);
}

export interface OutcomePage {
  items: OutcomeEntry[];
  continuationToken?: string;
  /** All outcomes that were recorded before this time are listed. Absent before the first run of the timer. */
  asOf?: string;
}

/** One page of the outcomes of all devices, newest first. */
export async function listOutcomes(
  deps: OutcomesDeps,
  query: OutcomeQuery,
  page: { top: number; continuationToken?: string | undefined },
): Promise<OutcomePage> {
  const [found, asOf] = await Promise.all([deps.outcomeIndex.page(query, page), deps.outcomeIndex.completeTo()]);
  // Not by `from`, which moves: the tokens belong to the query as the caller sent it.
  const oldest = oldestShown(deps);
  const items = found.items.filter(({ createdOn }) => createdOn >= oldest);
  const isLast = items.length < found.items.length || query.to <= oldest;
  return compact({ items, asOf, continuationToken: isLast ? undefined : found.continuationToken });
}

/** All outcomes of all devices in the window, newest first, in lists. Nothing is read before the first list is requested. */
export function scanOutcomes(deps: OutcomesDeps, query: OutcomeQuery): AsyncIterable<OutcomeEntry[]> {
  const oldest = oldestShown(deps);
  return deps.outcomeIndex.scan(query.from < oldest ? { ...query, from: oldest } : query);
}

/** Numbers of outcomes with a decision. An outcome counts once for each of its reasons. */
export interface DecisionCount {
  outcomes: number;
  reasons: Record<string, number>;
}

export interface OutcomeCount {
  outcomes: number;
  decisions: Record<Decision, DecisionCount>;
}

export interface OutcomeStatistics {
  total: OutcomeCount;
  /** By day of creation (UTC, `yyyy-MM-dd`), newest first. Days without outcomes are left out. */
  days: ({ day: string } & OutcomeCount)[];
  asOf?: string;
}

/** Counts the outcomes of all devices in the window by day, decision and reason. */
export async function countOutcomes(deps: OutcomesDeps, query: OutcomeQuery): Promise<OutcomeStatistics> {
  const asOf = await deps.outcomeIndex.completeTo();
  const total = noOutcomes();
  const days = new Map<string, OutcomeCount>();
  for await (const entries of scanOutcomes(deps, query)) {
    for (const entry of entries) {
      const day = entry.createdOn.slice(0, "yyyy-MM-dd".length);
      const count = days.get(day) ?? noOutcomes();
      days.set(day, count);
      add(count, entry);
      add(total, entry);
    }
  }
  return compact({ total, days: Array.from(days, ([day, count]) => ({ day, ...count })), asOf });
}

function noOutcomes(): OutcomeCount {
  const counts = decisions.map((decision) => [decision, { outcomes: 0, reasons: {} }] as const);
  return { outcomes: 0, decisions: Object.fromEntries(counts) as Record<Decision, DecisionCount> };
}

function add(count: OutcomeCount, { decision, reasons }: OutcomeEntry): void {
  const counted = count.decisions[decision];
  count.outcomes += 1;
  counted.outcomes += 1;
  for (const reason of reasons) counted.reasons[reason] = (counted.reasons[reason] ?? 0) + 1;
}
