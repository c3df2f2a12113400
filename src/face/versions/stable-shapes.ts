import * as z from "zod";
import { verifyOutcome, verifyReference } from "./shapes.ts";

/** Responses of the service in v1.2 and v1.3. Unknown fields are passed through. */

export const attemptResultFields = {
  livenessDecision: z.string().nullish().describe("realface, spoofface or uncertain."),
  targets: z.unknown().optional(),
  digest: z.string().nullish().describe("The service's digest of the attempt."),
  sessionImageId: z.string().nullish(),
  verifyResult: verifyOutcome.nullish(),
  verifyImageHash: z.string().nullish().describe("SHA-256 (hex) of the verify image."),
};

export const attemptErrorFields = { code: z.string(), message: z.string(), targets: z.unknown().optional() };

const flaggedSession = z.looseObject({
  attemptId: z.int(),
  sessionId: z.string(),
  sessionImageId: z.string().optional(),
});

export const attemptFields = {
  attemptId: z.int().describe("From 1."),
  attemptStatus: z.string().describe("Succeeded, Failed or Running."),
  result: z.looseObject(attemptResultFields).nullish(),
  error: z.looseObject(attemptErrorFields).nullish(),
  /** This field and the next exist in v1.3 only. */
  clientInformation: z
    .array(z.looseObject({ ip: z.string() }))
    .nullish()
    .describe("The IP addresses that the device used."),
  abuseMonitoringResult: z
    .looseObject({ isAbuseDetected: z.boolean(), otherFlaggedSessions: z.array(flaggedSession) })
    .nullish()
    .describe("The finding of abuse monitoring. Only trusted services get the flagged sessions."),
};
export const attempt = z.looseObject(attemptFields);

export const resultsFields = {
  verifyReferences: z.array(verifyReference).nullish(),
  attempts: z.array(attempt),
};

const abuseFacts = {
  isAbuseMonitoringEnabled: z.boolean().nullish().describe("Whether abuse monitoring was on at creation."),
  expectedClientIpAddress: z.string().nullish().describe("As requested at creation."),
};

export const createdFields = {
  sessionId: z.string().min(1),
  authToken: z.string().min(1).describe("For the device only."),
  status: z.string().nullish(),
  modelVersion: z.string().nullish(),
  ...abuseFacts,
  results: z.looseObject(resultsFields).partial().nullish(),
};
export const createdSession = z.looseObject(createdFields);

export const sessionFields = {
  sessionId: z.string().min(1),
  authToken: z.string().nullish(),
  status: z.string().describe("NotStarted, Running, Succeeded, Failed or Canceled."),
  modelVersion: z.string().nullish(),
  ...abuseFacts,
  results: z.looseObject(resultsFields),
};
export const session = z.looseObject(sessionFields);
