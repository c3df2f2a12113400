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
const streamed = mediaTypes.slice(1);

/** Lists and figures across devices. */
export const outcomeEndpoints: Endpoint[] = [
  defineEndpoint({
    ...common,
    name: "listOutcomes",
    summary: "List the outcomes of all devices, newest first, or export them as lines of JSON or as CSV",
    route: "api/outcomes",
    query: outcomeQuery,
    describe: () => ({
      answers: {
        200: {
          description:
            "A page; or, if `Accept` prefers another type, an export of all outcomes of the window, which ignores " +
            "`top` and `continuationToken`. The last page has no `nextLink`; others may be shorter than `top`, or empty. An " +
            "export is complete unless its connection breaks.",
          headers: z.object({
            "x-as-of": z.iso.datetime().optional().describe("`asOf` of an export."),
            "content-disposition": z.string().optional().describe("Name of the file of an export."),
          }),
          json: outcomePageShape(),
          bytes: streamed,
        },
      },
      errors: { 400: ["BadArgument"], 503: ["ServerBusy"] },
    }),
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
    describe: () => ({
      answers: { 200: { description: "Counts. Days without outcomes are left out.", json: statisticsShape() } },
      errors: { 400: ["BadArgument"], 503: ["ServerBusy"] },
    }),
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

const reason = z.string().meta({ examples: reasonCodes });
const asOf = z.iso
  .datetime()
  .optional()
  .describe("All outcomes recorded before this time are included. Absent until the timer has run.");

export function outcomePageShape() {
  const outcome = z
    .object({
      sessionId: z.string(),
      kind: z.enum(sessionKinds),
      apiVersion: z.enum(apiVersions),
      deviceCorrelationId: z.string().optional(),
      userCorrelationId: z.string().optional(),
      clientReferenceId: z.string().optional(),
      owner: z
        .string()
        .optional()
        .describe("The user who opened the session, as 64 hex digits. A user may name any of the ids above."),
      createdOn: z.iso.datetime(),
      settledOn: z.iso.datetime().describe("When this outcome was recorded."),
      decision: z.enum(decisions),
      reasons: z.array(reason),
      final: z.boolean(),
      revision: z.int().min(1).describe("Number of outcomes recorded for the session, this one included."),
    })
    .meta({ id: "Outcome" });
  return z.object({ value: z.array(outcome), nextLink: z.url().optional(), asOf }).meta({ id: "OutcomePage" });
}

export function statisticsShape() {
  const outcomes = z.int().min(0);
  const counts = {
    outcomes,
    decisions: z
      .object(
        Object.fromEntries(
          decisions.map((decision) => [
            decision,
            z.object({
              outcomes,
              reasons: z.record(z.string(), z.int().min(1)).describe("An outcome counts once for each of its reasons."),
            }),
          ]),
        ),
      )
      .meta({ id: "DecisionCounts" }),
  };
  return z
    .object({
      from: z.iso.datetime(),
      to: z.iso.datetime(),
      total: z.object(counts),
      days: z
        .array(
          z.object({
            day: z
              .string()
              .regex(/^\d{4}-\d\d-\d\d$/)
              .describe("UTC."),
            ...counts,
          }),
        )
        .describe("Newest first."),
      asOf,
    })
    .meta({ id: "Statistics" });
}
