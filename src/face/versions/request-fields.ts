import * as z from "zod";
import { isBoundedText, maxAttempts, maxCorrelationIdLength, referenceIdPattern } from "../model.ts";

/**
 * Fields of create requests that several versions share, with the messages for callers. Requests are strict: a misspelt
 * threshold that is silently dropped would accept the wrong person.
 */

/** `isBoundedText` as a schema. `min` and `max` are for JSON Schema, which counts code points. */
export function boundedText(maxLength: number) {
  const error = `Must be 1 to ${maxLength} UTF-16 code units of well-formed Unicode.`;
  return z
    .string({ error })
    .min(1, { error })
    .max(maxLength, { error })
    .refine((text) => isBoundedText(text, maxLength), { error });
}

const flag = (description: string) => z.boolean({ error: "Must be true or false." }).describe(description);

export const deviceId = boundedText(maxCorrelationIdLength);

const deviceCorrelationId = deviceId
  .nullish()
  .describe("The end user's device. Required unless deviceCorrelationIdSetInClient is true; then absent or null.");

/** The end user. Kept with the session; sent to the service in v1.3 only. */
export const userCorrelationId = boundedText(maxCorrelationIdLength).describe(
  "The end user: a pseudonym that stays the same.",
);

export const userCorrelationIdSetInClient = flag("The device sends the user's id when it starts the session.").default(
  false,
);

export const numberOfClientAttemptsAllowed = z
  .int({ error: "Must be an integer." })
  .min(1, { error: "Must be at least 1." })
  .max(maxAttempts, { error: `Must be at most ${maxAttempts}.` })
  .default(1)
  .describe("Attempts with one token.");

export const expectedClientIpAddress = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: "Must be one IP address or one CIDR block." })
  .optional()
  .describe("The IP address or CIDR block that the device must use.");

const authTokenTimeToLiveInSeconds = z
  .int({ error: "Must be an integer." })
  .min(60, { error: "Must be at least 60." })
  .max(86_400, { error: "Must be at most 86400." })
  .default(600)
  .describe("Lifetime of the session's token in seconds.");

const clientReferenceId = boundedText(128)
  .optional()
  .describe("The caller's own reference for the session. Not part of the Face API.");

/** Fields of every version for both kinds of sessions, and the app's additional field. */
export const sharedFields = {
  livenessOperationMode: z
    .enum(["Passive", "PassiveActive"], { error: "Must be 'Passive' or 'PassiveActive'." })
    .describe("Passive: no user action. PassiveActive: the device may ask the user to move the head."),
  deviceCorrelationId,
  deviceCorrelationIdSetInClient: flag("The device sends its id when it starts the session.").default(false),
  authTokenTimeToLiveInSeconds,
  clientReferenceId,
};

const referenceIdRule = { error: "Must match [A-Za-z0-9_-]{1,64}." };
/** The id of a stored reference image. */
export const referenceId = z.string(referenceIdRule).regex(referenceIdPattern, referenceIdRule);

/** Additional field for sessions with verify. */
export const referenceImageId = referenceId
  .optional()
  .describe("Id of a stored reference image to use as the verify image. Not part of the Face API.");

/** Additional fields for sessions with verify; the second is for sessions whose image the device submits. */
export const imageIds = {
  referenceImageId,
  expectedReferenceImageId: referenceId
    .optional()
    .describe("Id of the stored image that the device is expected to submit. Not part of the Face API."),
};

export const sendResultsToClient = flag("The service sends the result to the device.").optional();
export const enableSessionImage = flag("The service stores an image of each attempt.").optional();
export const returnVerifyImageHash = flag("The result contains the SHA-256 of the verify image.").optional();

export const verifyConfidenceThreshold = z
  .number({ error: "Must be a number." })
  .min(0, { error: "Must be at least 0." })
  .max(1, { error: "Must be at most 1." })
  .optional()
  .describe("Lowest match confidence for which the faces count as identical.");

/** Model versions are an open set. */
export const modelVersion = boundedText(128).optional().describe("The model version. Default: the latest.");

/** Requires exactly one of a correlation id and the flag that the device sends it. */
function requireOne(name: "deviceCorrelationId" | "userCorrelationId") {
  const flagName = `${name}SetInClient`;
  return (request: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void => {
    const isNamed = typeof request[name] === "string";
    if (isNamed !== request[flagName]) return;
    const message = isNamed ? `Must be absent or null if ${flagName} is true.` : `Required unless ${flagName} is true.`;
    context.addIssue({ code: "custom", message, path: [name] });
  };
}

export const requireOneDevice = requireOne("deviceCorrelationId");
export const requireOneUser = requireOne("userCorrelationId");
