import * as z from "zod";
import { apiVersions, sessionKinds } from "../../../src/face/model.ts";
import { streamed } from "../../../src/functions/outcomes.ts";
import { decisions } from "../../../src/liveness/model/session.ts";
import { reasonCodes } from "../../../src/liveness/result/decision.ts";
import type { Operations } from "../operation.ts";

/** Lists and figures across devices. */
export const outcomeOperations: Operations = {
  listOutcomes: () => ({
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
  getStatistics: () => ({
    answers: { 200: { description: "Counts. Days without outcomes are left out.", json: statisticsShape() } },
    errors: { 400: ["BadArgument"], 503: ["ServerBusy"] },
  }),
};

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
