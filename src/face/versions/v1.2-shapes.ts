import * as z from "zod";
import { verifyOutcome, verifyReference } from "./shapes.ts";

/** Responses of the service in version v1.2. Unknown fields are passed through. */

export const attemptResultFields = {
  livenessDecision: z.string().nullish().describe("realface, spoofface or uncertain."),
  targets: z.unknown().optional(),
  digest: z.string().nullish().describe("The service's digest of the attempt."),
  sessionImageId: z.string().nullish(),
  verifyResult: verifyOutcome.nullish(),
  verifyImageHash: z.string().nullish().describe("SHA-256 (hex) of the verify image."),
};

export const attemptErrorFields = { code: z.string(), message: z.string(), targets: z.unknown().optional() };

export const attemptFields = {
  attemptId: z.int().describe("From 1."),
  attemptStatus: z.string().describe("Succeeded, Failed or Running."),
  result: z.looseObject(attemptResultFields).nullish(),
  error: z.looseObject(attemptErrorFields).nullish(),
};
export const attempt = z.looseObject(attemptFields).meta({ id: "Attempt_v1.2" });

export const resultsFields = {
  verifyReferences: z.array(verifyReference).nullish(),
  attempts: z.array(attempt),
};

export const createdFields = {
  sessionId: z.string().min(1),
  authToken: z.string().min(1).describe("For the device only."),
  status: z.string().nullish(),
  modelVersion: z.string().nullish(),
  results: z.looseObject(resultsFields).partial().nullish(),
};
export const createdSession = z.looseObject(createdFields).meta({ id: "CreatedSession_v1.2" });

export const sessionFields = {
  sessionId: z.string().min(1),
  authToken: z.string().nullish(),
  status: z.string().describe("NotStarted, Running, Succeeded, Failed or Canceled."),
  modelVersion: z.string().nullish(),
  results: z.looseObject(resultsFields),
};
export const session = z.looseObject(sessionFields);
export const sessionWithoutToken = session.omit({ authToken: true }).meta({ id: "Session_v1.2" });
