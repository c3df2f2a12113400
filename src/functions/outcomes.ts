import * as z from "zod";
import { badArgument } from "../api-errors.ts";
import type { App } from "../app.ts";
import { apiVersions, sessionKinds } from "../face/model.ts";
import { boundedText, userCorrelationId } from "../face/versions/request-fields.ts";
import { preferredType } from "../http/accept.ts";
import { defineEndpoint, type Endpoint } from "../http/endpoint.ts";
import type { OutcomeQuery } from "../liveness/model/outcome-index.ts";
import { decisions } from "../liveness/model/session.ts";
import { reasonCodes } from "../liveness/result/decision.ts";
import { paging } from "./session-pages.ts";

const longestWindowMs = 31 * 86_400_000;
/** Bounds of the times that row keys can contain. */
const earliest = 0;
const latest = Date.parse("2286-01-01T00:00:00Z");

const timeMessage = "must be a time of RFC 3339 with its offset, from 1970 to 2285";
const time = z.iso
  .datetime({ offset: true, error: timeMessage })
  .refine((text) => Date.parse(text) >= earliest && Date.parse(text) < latest, timeMessage);

const windowQuery = z.object({
  from: time.optional().describe("Sessions created at this time or later. Default: 31 days before `to`."),
  to: time.optional().describe("Sessions created before this time, at most 31 days after `from`. Default: now."),
});

const outcomeQuery = windowQuery.extend({
  decision: z.enum(decisions).optional(),
  reason: z.enum(reasonCodes).optional().describe("Outcomes with this reason, and possibly others."),
  kind: z.enum(sessionKinds).optional(),
  apiVersion: z.enum(apiVersions).optional(),
  clientReferenceId: boundedText(128).optional(),
  userCorrelationId: userCorrelationId.optional(),
  final: z.enum(["true", "false"]).optional().describe("`true`: no further attempt is expected."),
  ...paging,
});

const common = { methods: ["GET"], access: "reviewers" } satisfies Partial<Endpoint>;

const mediaTypes = ["application/json", "application/x-ndjson", "text/csv"] as const;
export const streamed = mediaTypes.slice(1);

/** Lists and figures across devices. */
export const outcomeEndpoints: Endpoint[] = [
  defineEndpoint({
    ...common,
    name: "listOutcomes",
    summary: "List the outcomes of all devices, newest first, or export them as lines of JSON or as CSV",
    route: "api/outcomes",
    query: outcomeQuery,
    async handle(app, { query, caller, url, headers, method }) {
      const { top, continuationToken, from, to, final, ...equal } = query;
      const window = windowOf(app, { from, to });
      const asked: OutcomeQuery = { ...window, ...equal, final: final === undefined ? undefined : final === "true" };
      const type = preferredType(headers.get("accept"), mediaTypes);
      if (type !== "application/json") {
        const { exportOutcomes } = await import("./outcome-export.ts");
        return exportOutcomes(app, asked, type, { caller, headOnly: method === "HEAD" });
      }
      const { outcomePage } = await import("./outcome-pages.ts");
      return { status: 200, json: await outcomePage(app, asked, { top, continuationToken }, url), headers: vary };
    },
  }),
  defineEndpoint({
    ...common,
    name: "getStatistics",
    summary: "Count the outcomes of all devices by day, decision and reason",
    route: "api/statistics",
    query: windowQuery,
    async handle(app, { query, caller }) {
      const window = windowOf(app, query);
      const { countOutcomes } = await import("../liveness/result/outcomes.ts");
      const { takeScanSlot } = await import("./scan-slots.ts");
      const releaseSlot = takeScanSlot(caller);
      try {
        return { status: 200, json: { ...window, ...(await countOutcomes(app, window)) } };
      } finally {
        releaseSlot();
      }
    },
  }),
];

const vary = { vary: "accept" };

/** The window of a request. Throws `ApiError` 400 if it is longer than 31 days, or ends before it begins. */
function windowOf({ now }: Pick<App, "now">, { from, to }: z.infer<typeof windowQuery>): { from: string; to: string } {
  const end = to === undefined ? now() : Date.parse(to);
  const start = from === undefined ? Math.max(end - longestWindowMs, 0) : Date.parse(from);
  if (start > end || end - start > longestWindowMs) {
    const message = "must not be after `to`, and at most 31 days before it";
    throw badArgument([{ code: "BadArgument", message, target: "from" }]);
  }
  return { from: new Date(start).toISOString(), to: new Date(end).toISOString() };
}
