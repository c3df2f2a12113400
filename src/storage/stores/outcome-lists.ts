import { serverBusy } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { OutcomeEntry } from "../../liveness/model/events.ts";
import type { OutcomeQuery } from "../../liveness/model/outcome-index.ts";
import type { Page } from "../../liveness/model/page.ts";
import { dayMs, iso } from "../../time.ts";
import { maxPageSize, type Query } from "../azure/query.ts";
import type { Entity, Table } from "../azure/table.ts";
import { dayOf, indexShards, outcomePartition, outcomeRows, readOutcome, rowAfterAll } from "../rows/index-rows.ts";
import { readPageToken, writePageToken } from "../rows/page-token.ts";
import { mergeRows, type RowSource } from "./merge-rows.ts";

type Reader = Pick<Table, "query">;

/** Most requests for one page: enough for a window of 31 days without outcomes, which have four partitions each. */
const maxRequests = 128;
/** Most pages without rows, which storage may return, that are read of a shard even beyond the limit of requests. */
const maxEmptyPages = 10;

/**
 * A page of the outcomes of a window, newest first. When the limit of requests is reached, the page ends early, with a token
 * that continues after the last row that was read, even if no row met the conditions.
 *
 * Throws `ApiError` 400 for a token of another query, and 503 if storage returns nothing but empty pages.
 */
export async function readPage(
  table: Reader,
  query: OutcomeQuery,
  { top, continuationToken }: { top: number; continuationToken?: string | undefined },
): Promise<Page<OutcomeEntry>> {
  const list = listOf(query);
  const start = continuationToken === undefined ? undefined : readPageToken(list, continuationToken);
  let position = start;
  const items: OutcomeEntry[] = [];
  const page = () => compact({ items, continuationToken: position && writePageToken(list, position) });
  const budget = { left: maxRequests };
  for (const day of daysOf(query)) {
    const end = rowAfterAll(day);
    if (position !== undefined && position >= end) continue;
    if (budget.left < indexShards.length) return page();
    const sources = indexShards.map((shard) => openSource(table, query, { day, shard, position, top, budget }));
    for await (const rows of mergeRows(sources, false)) {
      for (const row of rows) {
        const entry = readOutcome(row);
        if (hasReason(query, entry)) {
          if (items.length === top) return page();
          items.push(entry);
        }
        position = row.rowKey;
      }
    }
    if (sources.some(({ isCut }) => isCut)) {
      if (position === start)
        throw serverBusy("The outcomes could not be read in time. Try again, or narrow the query.");
      return page();
    }
    position = end;
  }
  return { items };
}

/**
 * All outcomes of a window, newest first, in lists. While a day is read, the first rows of the next older day are
 * requested.
 */
export async function* scanAll(table: Reader, query: OutcomeQuery): AsyncGenerator<OutcomeEntry[]> {
  const days = daysOf(query).values();
  let current = beginDay(table, query, days.next().value);
  let following: Day | undefined;
  try {
    while (current !== undefined) {
      following = beginDay(table, query, days.next().value);
      for (let step = await current.first; !step.done; step = await current.lists.next()) {
        const entries = step.value.map(readOutcome).filter((entry) => hasReason(query, entry));
        if (entries.length > 0) yield entries;
      }
      current = following;
    }
  } finally {
    await Promise.all([current?.lists.return(undefined), following?.lists.return(undefined)]);
  }
}

/** A day that is being read. */
interface Day {
  lists: AsyncGenerator<Entity[]>;
  first: Promise<IteratorResult<Entity[]>>;
}

function beginDay(table: Reader, query: OutcomeQuery, day: string | undefined): Day | undefined {
  if (day === undefined) return undefined;
  const sources = indexShards.map((shard): RowSource => {
    const rows = table.query({ where: conditionsOf(query, day, shard), pageSize: maxPageSize });
    return { chunks: inChunks(rows) };
  });
  const lists = mergeRows(sources, true);
  const first = lists.next();
  // A failure is reported when the day is read.
  first.catch(() => undefined);
  return { lists, first };
}

interface Opening {
  day: string;
  shard: number;
  /** The row after which the rows begin. */
  position: string | undefined;
  top: number;
  budget: { left: number };
}

/** The rows of a shard, until the budget of requests is used up. */
function openSource(table: Reader, query: OutcomeQuery, { day, shard, position, top, budget }: Opening): RowSource {
  let rows = 0;
  const source: RowSource = { chunks: read() };
  return source;

  async function* read(): AsyncGenerator<Entity[]> {
    budget.left -= 1;
    const options: Query = {
      where: conditionsOf(query, day, shard, position),
      // Storage cannot filter by reason, so more rows are needed.
      pageSize: query.reason === undefined ? top + 1 : maxPageSize,
      mayContinue(pages) {
        source.isCut = rows === 0 ? pages >= maxEmptyPages : budget.left <= 0;
        if (!source.isCut) budget.left -= 1;
        return !source.isCut;
      },
    };
    for await (const row of table.query(options)) {
      rows += 1;
      yield [row];
    }
  }
}

/** Groups rows into lists of a page each. Two lists of each shard are in memory at a time. */
async function* inChunks(rows: AsyncIterable<Entity>): AsyncGenerator<Entity[]> {
  let chunk: Entity[] = [];
  for await (const row of rows) {
    if (chunk.push(row) < maxPageSize) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

function conditionsOf(query: OutcomeQuery, day: string, shard: number, position?: string): Query["where"] {
  const { from, to, reason: _, ...equal } = query;
  const rows = outcomeRows(from, to);
  const RowKey = position === undefined ? rows : { after: position, before: rows.before };
  return { PartitionKey: outcomePartition(dayOf(day), shard), RowKey, ...compact(equal) };
}

function hasReason({ reason }: OutcomeQuery, { reasons }: OutcomeEntry): boolean {
  return reason === undefined || reasons.includes(reason);
}

/** The beginnings of the days of the window, RFC 3339, newest first. */
function daysOf({ from, to }: OutcomeQuery): string[] {
  const days: string[] = [];
  const first = Math.floor(Date.parse(from) / dayMs);
  for (let day = Math.ceil(Date.parse(to) / dayMs) - 1; day >= first; day -= 1) {
    days.push(iso(day * dayMs));
  }
  return days;
}

/** Name of the list in its tokens. No partition of a device has a slash. */
function listOf(query: OutcomeQuery): string {
  const { from, to, decision, reason, kind, apiVersion, clientReferenceId, userCorrelationId, final } = query;
  const values = [from, to, decision, reason, kind, apiVersion, clientReferenceId, userCorrelationId, final];
  return `outcomes/${JSON.stringify(values)}`;
}
