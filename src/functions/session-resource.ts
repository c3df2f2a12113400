import * as z from "zod";
import { type Attempt, apiVersions, sessionKinds } from "../face/model.ts";
import type { Caller } from "../liveness/model/caller.ts";
import { type AuditRecord, decisions, type SessionRecord } from "../liveness/model/session.ts";
import { reasonCodes } from "../liveness/result/decision.ts";

/** A session as our own routes show it. Times are RFC 3339. */
export const sessionResourceShape = z
  .object({
    sessionId: z.string(),
    kind: z.enum(sessionKinds),
    deviceCorrelationId: z.string().optional(),
    clientReferenceId: z.string().optional(),
    apiVersion: z.enum(apiVersions).describe("The dialect in which the session was asked for."),
    createdOn: z.iso.datetime(),
    tokenExpiresOn: z.iso.datetime(),
    expiresOn: z.iso.datetime().describe("When the Face service forgets the session."),
    status: z.string().describe("NotStarted, Running, Succeeded, Failed, Canceled or Expired."),
    attempts: z.int().min(0),
    final: z.boolean().describe("No further attempt is to be expected."),
    decision: z.enum(decisions).optional(),
    reasons: z.array(z.string().meta({ examples: reasonCodes })).describe("Why the decision fell as it did."),
    referenceImageId: z.string().optional(),
    owner: z
      .string()
      .describe("The signed-in user who opened the session: the same 64 hex digits each time. For services only.")
      .optional(),
  })
  .meta({ id: "Session" });
export type SessionResource = z.infer<typeof sessionResourceShape>;

/** Shows of a record what the shape above names, and nothing else; whose it is, to trusted services only. */
export function sessionResource(record: SessionRecord, { trusted }: Pick<Caller, "trusted">): SessionResource {
  const { owner, ...shown } = sessionResourceShape.parse(record);
  return { ...shown, ...(trusted && owner !== undefined && { owner }) };
}

/** An entry of the audit trail: a recorded attempt, with whatever the service told of it beside what is named here. */
export type AuditEntryResource = Attempt & Pick<AuditRecord, "entryId" | "receivedOn">;

export function auditEntryResource({ entryId, receivedOn, entry }: AuditRecord): AuditEntryResource {
  return { entryId, ...(receivedOn !== undefined && { receivedOn }), ...entry };
}

/** Needed by the API's description only, and made for it. */
export function auditEntryShape(): z.ZodType<AuditEntryResource> {
  const text = z.string().exactOptional();
  const extra = z.record(z.string(), z.unknown()).exactOptional();
  const targets = z.unknown().exactOptional();
  return z
    .looseObject({
      entryId: z
        .string()
        .regex(/^\d{1,19}$/)
        .describe("A 64-bit integer, by which the entries ascend."),
      receivedOn: text.describe("RFC 3339."),
      attemptId: z.int().describe("From 1."),
      attemptStatus: z.string().describe("Succeeded or Failed; open."),
      result: z
        .looseObject({
          livenessDecision: text.describe("realface, spoofface or uncertain."),
          targets,
          digest: text.describe("The service's digest of the attempt. A user sees it after sending the device's own."),
          sessionImageId: text,
          verifyResult: z.looseObject({ matchConfidence: z.number(), isIdentical: z.boolean() }).exactOptional(),
          verifyImageHash: text.describe("SHA-256 (hex) of the verify image that was used."),
          extra,
        })
        .exactOptional(),
      error: z.looseObject({ code: z.string(), message: z.string(), targets, extra }).exactOptional(),
      audit: z
        .looseObject({
          id: z.string(),
          requestId: text,
          clientRequestId: text,
          receivedDateTime: text,
          request: extra,
          statusCode: z.int().exactOptional(),
          latencyInMilliseconds: z.number().exactOptional(),
          body: extra,
          extra,
        })
        .describe("What only the previews tell of an attempt.")
        .exactOptional(),
      extra,
    })
    .meta({ id: "AuditEntry" });
}
