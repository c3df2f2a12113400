import * as z from "zod";
import { compact } from "../compact.ts";
import { type Attempt, apiVersions, sessionKinds } from "../face/model.ts";
import type { Caller } from "../liveness/model/caller.ts";
import { type AuditRecord, attemptsAllowed, decisions, type SessionRecord } from "../liveness/model/session.ts";
import { reasonCodes } from "../liveness/result/decision.ts";
import { nextActions, nextStep } from "../liveness/result/next-action.ts";

/** A session in responses of the app's own routes. Times are RFC 3339. */
export const sessionResourceShape = z
  .object({
    sessionId: z.string().describe("Id of the session at the Face service."),
    kind: z.enum(sessionKinds).describe("`livenessWithVerify`: the face is also compared with a reference image."),
    deviceCorrelationId: z.string().optional(),
    userCorrelationId: z.string().optional(),
    clientReferenceId: z.string().optional(),
    apiVersion: z.enum(apiVersions).describe("The version of the Face API in which the session was requested."),
    createdOn: z.iso.datetime(),
    tokenExpiresOn: z.iso.datetime().describe("End of the token."),
    expiresOn: z.iso.datetime().describe("When the Face service deletes the session."),
    status: z.string().describe("NotStarted, Running, Succeeded, Failed, Canceled or Expired."),
    attempts: z.int().min(0).describe("Attempts that have ended and are recorded."),
    final: z.boolean().describe("No further attempt is expected."),
    decision: z.enum(decisions).optional().describe("Absent while the session is undecided."),
    reasons: z.array(z.string().meta({ examples: reasonCodes })).describe("Reasons of the decision."),
    revision: z
      .int()
      .min(0)
      .default(0)
      .describe("Number of outcomes recorded so far, as in the events of the session. 0 while it is undecided."),
    attemptsLeft: z
      .int()
      .min(0)
      .describe("Attempts that the token still allows. 0 when the session is final or the token has ended."),
    nextAction: z
      .enum(nextActions)
      .describe(
        "`wait`: no attempt has ended; settle again later. `retry`: start another attempt with the same token. " +
          "`newSession`: this session gets no further result; the user may try again in a new one. " +
          "`review`: another attempt is not expected to help; a person should decide. " +
          "`done`: accepted, or rejected permanently.",
      ),
    referenceImageId: z.string().optional().describe("Id of the reference image, for sessions with verify."),
    owner: z
      .string()
      .describe("The user who opened the session, as 64 hex digits. Only in responses to trusted services.")
      .optional(),
  })
  .meta({ id: "Session" });
export type SessionResource = z.infer<typeof sessionResourceShape>;

/**
 * A record in the form of `sessionResourceShape`; with `owner` for trusted services only.
 *
 * @param nowMs the time of the response, on which `attemptsLeft` and `nextAction` depend.
 */
export function sessionResource(
  record: SessionRecord,
  { trusted }: Pick<Caller, "trusted">,
  nowMs: number,
): SessionResource {
  const { owner, ...session } = sessionResourceShape.parse({
    ...record,
    ...nextStep(record, nowMs, attemptsAllowed(record)),
  });
  return trusted ? compact({ ...session, owner }) : session;
}

/** An entry of the audit trail: a recorded attempt with all fields that the service returned. */
export type AuditEntryResource = Attempt & Pick<AuditRecord, "entryId" | "receivedOn">;

export function auditEntryResource({ entryId, receivedOn, entry }: AuditRecord): AuditEntryResource {
  return { ...compact({ entryId, receivedOn }), ...entry };
}
