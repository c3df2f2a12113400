import type { App } from "../app.ts";
import { compact } from "../compact.ts";
import type { OutcomeEntry } from "../liveness/model/events.ts";
import type { OutcomeQuery } from "../liveness/model/outcome-index.ts";
import { listOutcomes } from "../liveness/result/outcomes.ts";

/** Names of an outcome's fields in responses and exports, in this order. */
export const outcomeFields = [
  "sessionId",
  "kind",
  "apiVersion",
  "deviceCorrelationId",
  "userCorrelationId",
  "clientReferenceId",
  "owner",
  "createdOn",
  "settledOn",
  "decision",
  "reasons",
  "final",
  "revision",
] as const satisfies (keyof OutcomeEntry)[];

/** An outcome in a response, without the fields that only storage uses. */
export function outcomeResource(entry: OutcomeEntry): object {
  return compact(Object.fromEntries(outcomeFields.map((name) => [name, entry[name]])));
}

/** The body of a page. `nextLink` has the query of the request, and the window, even if the request used the default. */
export async function outcomePage(
  app: App,
  query: OutcomeQuery,
  page: { top: number; continuationToken: string | undefined },
  url: URL,
): Promise<object> {
  const { items, continuationToken, asOf } = await listOutcomes(app, query, page);
  const value = items.map(outcomeResource);
  if (continuationToken === undefined) return compact({ value, asOf });
  const next = new URL(url);
  for (const [name, text] of Object.entries({ from: query.from, to: query.to, continuationToken })) {
    next.searchParams.set(name, text);
  }
  return compact({ value, nextLink: next.href, asOf });
}
