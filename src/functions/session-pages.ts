import * as z from "zod";
import type { App } from "../app.ts";
import { pageSize } from "../http/endpoint.ts";
import type { Caller } from "../liveness/model/caller.ts";
import type { Page } from "../liveness/model/page.ts";
import type { SessionRecord } from "../liveness/model/session.ts";
import { type SessionResource, sessionResource } from "./session-resource.ts";

/** Lists of sessions, page by page. */

/** Query parameters of a page. */
export const paging = {
  top: pageSize(100, 50),
  continuationToken: z.string().max(4096).optional().describe("From the `nextLink` of the page before."),
};

/** The body of a page. `nextLink` has the query of the request. */
export function pageOf(
  { now }: Pick<App, "now">,
  caller: Caller,
  url: URL,
  { items, continuationToken }: Page<SessionRecord>,
): { value: SessionResource[]; nextLink?: string } {
  const value = items.map((record) => sessionResource(record, caller, now()));
  if (continuationToken === undefined) return { value };
  const next = new URL(url);
  next.searchParams.set("continuationToken", continuationToken);
  return { value, nextLink: next.href };
}
