import * as z from "zod";
import { type AuditEntryResource, sessionResourceShape } from "../../../src/functions/session-resource.ts";
import { settleBody } from "../../../src/functions/sessions.ts";
import type { Erased } from "../../../src/liveness/retain/erase-device.ts";
import type { Operations } from "../operation.ts";

/** Stored sessions, and all data of a device or a user. */
export const sessionOperations: Operations = {
  getSession: () => ({
    answers: { 200: { description: "The session.", json: sessionResourceShape } },
    errors: { 404: ["SessionNotFound"] },
  }),
  settleSession: () => ({
    body: { required: false, content: { "application/json": settleBody } },
    answers: { 200: { description: "The session.", json: sessionResourceShape } },
    errors: { 404: ["SessionNotFound"], 409: ["SessionNotFinished", "DeviceMismatch"] },
    callsFace: true,
  }),
  listAuditEntries: () => ({
    answers: {
      200: {
        description: "All entries of the session, newest first.",
        json: z.object({ value: z.array(auditEntryShape()) }),
      },
    },
    errors: { 404: ["SessionNotFound"] },
  }),
  listDeviceOutcomes: () => ({
    answers: {
      200: {
        description: "A page of sessions. The last page has no `nextLink`.",
        json: sessionPage(),
      },
    },
    errors: { 400: ["InvalidDeviceCorrelationId", "BadArgument"], 404: ["ResourceNotFound"] },
  }),
  eraseDevice: () => ({
    answers: { 200: { description: "Numbers of erased sessions and images.", json: erasedShape() } },
    errors: { 400: ["InvalidDeviceCorrelationId"], 503: ["ServerBusy"] },
    callsFace: true,
  }),
  liftLockout: () => ({
    answers: { 204: { description: "The device is not locked out." } },
    errors: { 400: ["InvalidDeviceCorrelationId"] },
  }),
  listUserOutcomes: () => ({
    answers: { 200: { description: "A page of sessions. The last page has no `nextLink`.", json: sessionPage() } },
    errors: { 400: ["BadArgument"], 404: ["ResourceNotFound"] },
  }),
  eraseUser: () => ({
    answers: {
      200: {
        description: "The number of erased sessions.",
        json: z.object({ sessions: z.int().min(0) }).meta({ id: "ErasedUser" }),
      },
    },
    errors: { 400: ["BadArgument"], 503: ["ServerBusy"] },
    callsFace: true,
  }),
};

function sessionPage() {
  return z.object({ value: z.array(sessionResourceShape), nextLink: z.url().optional() }).meta({ id: "SessionPage" });
}

function erasedShape(): z.ZodType<Erased> {
  return z.object({ sessions: z.int().min(0), referenceImages: z.int().min(0) }).meta({ id: "Erased" });
}

function auditEntryShape(): z.ZodType<AuditEntryResource> {
  const text = z.string().exactOptional();
  const extra = z.record(z.string(), z.unknown()).exactOptional();
  const targets = z.unknown().exactOptional();
  return z
    .looseObject({
      entryId: z
        .string()
        .regex(/^\d{1,19}$/)
        .describe("A 64-bit integer. Entries are in descending order of it."),
      receivedOn: text.describe("RFC 3339."),
      attemptId: z.int().describe("From 1."),
      attemptStatus: z.string().describe("Succeeded or Failed; other values may follow."),
      result: z
        .looseObject({
          livenessDecision: text.describe("realface, spoofface or uncertain."),
          targets,
          digest: text.describe(
            "The service's digest of the attempt. Users get it after sending the same digest, or after a mismatch.",
          ),
          sessionImageId: text,
          verifyResult: z.looseObject({ matchConfidence: z.number(), isIdentical: z.boolean() }).exactOptional(),
          verifyImageHash: text.describe("SHA-256 (hex) of the verify image."),
          extra,
        })
        .exactOptional(),
      error: z.looseObject({ code: z.string(), message: z.string(), targets, extra }).exactOptional(),
      clientInformation: z
        .array(z.looseObject({ ip: z.string() }))
        .describe("The IP addresses that the device used. Only with v1.3-preview.1 upstream.")
        .exactOptional(),
      abuseMonitoringResult: z
        .looseObject({
          isAbuseDetected: z.boolean(),
          otherFlaggedSessions: z
            .array(z.looseObject({ attemptId: z.int(), sessionId: z.string(), sessionImageId: text }))
            .describe("Empty in responses to users."),
        })
        .describe("The finding of abuse monitoring. Only with v1.3-preview.1 upstream.")
        .exactOptional(),
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
        .describe("Facts of an attempt that only the previews return.")
        .exactOptional(),
      extra,
    })
    .meta({ id: "AuditEntry" });
}
