import * as z from "zod";
import { invalidDeviceCorrelationId, invalidRequestBody, invalidTokenLifetime } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import { type ApiError, type ErrorDetail, maxDetails } from "../../errors.ts";
import { carryOver, modelVersionFields } from "../carry-over.ts";
import type { CreateRequest, RequestFields } from "../codec.ts";
import { invalidLivenessOperationMode } from "../errors.ts";
import { isRecord } from "../json.ts";
import {
  type ApiVersion,
  isBoundedText,
  maxAttempts,
  maxCorrelationIdLength,
  referenceIdPattern,
  type SessionKind,
  type SessionRequest,
  type VerifyImage,
} from "../model.ts";

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

/**
 * The create requests of both kinds, strict. With verify, a request may contain the id of a stored image.
 *
 * @param needsUser whether a request must contain a user id, or the flag that the device sends it.
 */
export function requestsOf<Liveness extends z.ZodRawShape, Verify extends z.ZodRawShape>(
  { liveness, livenessWithVerify }: { liveness: Liveness; livenessWithVerify: Verify },
  needsUser = false,
) {
  const check: typeof requireOneDevice = (request, context) => {
    requireOneDevice(request, context);
    if (needsUser) requireOneUser(request, context);
  };
  return {
    liveness: z.strictObject(liveness).superRefine(check),
    livenessWithVerify: z.strictObject({ ...livenessWithVerify, ...imageIds }).superRefine(check),
  };
}

export function toCreateRequest(version: ApiVersion, fields: RequestFields, image?: VerifyImage): CreateRequest {
  const { livenessSingleModalModel, livenessModelVersion, ...additionsAndRest } = fields;
  const { referenceImageId, expectedReferenceImageId, clientReferenceId, ...rest } = additionsAndRest;
  const modelVersion = livenessModelVersion ?? livenessSingleModalModel;
  const modelVersionOf = modelVersion === undefined ? undefined : version;
  const request: SessionRequest = compact({ ...rest, modelVersion, modelVersionOf });
  return compact({ request, image, referenceImageId, expectedReferenceImageId, clientReferenceId });
}

/**
 * The fields of a create request that the version supports, under its names.
 *
 * @throws ApiError 400 for fields that it does not support.
 */
export function fieldsFor(version: ApiVersion, kind: SessionKind, request: SessionRequest, hasImage: boolean): object {
  const { livenessOperationMode, deviceCorrelationId, deviceCorrelationIdSetInClient } = request;
  const { authTokenTimeToLiveInSeconds } = request;
  const { modelVersion, ...carried } = carryOver(version, kind, request, hasImage);
  const modelField = modelVersionFields[version];
  return compact({
    livenessOperationMode,
    deviceCorrelationId,
    deviceCorrelationIdSetInClient,
    authTokenTimeToLiveInSeconds,
    ...(modelField && { [modelField]: modelVersion }),
    ...carried,
  });
}

/**
 * Parses the fields of a request, in which booleans, numbers and modes may be texts in any case.
 *
 * @param problems errors that were found before, such as those of a form's parts.
 * @throws ApiError 400 with all errors as details. Its code is that of the first kind of error in `errorKinds`.
 */
export function parseRequest<Fields>(
  version: ApiVersion,
  schema: z.ZodType<Fields>,
  value: unknown,
  problems: readonly ErrorDetail[] = [],
): Fields {
  const parsed = schema.safeParse(readTexts(value));
  if (!parsed.success) throw refusal(version, [...problems, ...parsed.error.issues.flatMap(toDetails)]);
  if (problems.length > 0) throw refusal(version, problems);
  return parsed.data;
}

type ErrorKind = "body" | "tokenLifetime" | "operationMode" | "device";

const kindsByField = new Map<string, ErrorKind>([
  ["authTokenTimeToLiveInSeconds", "tokenLifetime"],
  ["livenessOperationMode", "operationMode"],
  ["deviceCorrelationId", "device"],
  ["deviceCorrelationIdSetInClient", "device"],
]);

/** In the order of the table of errors in the service's documentation. */
const errorKinds: readonly ErrorKind[] = ["body", "tokenLifetime", "operationMode", "device"];

function refusal(version: ApiVersion, problems: readonly ErrorDetail[]): ApiError {
  const kindOf = ({ code, target }: ErrorDetail) => (code === "InvalidField" && kindsByField.get(target)) || "body";
  // One detail for each field: the first is the most specific.
  const byTarget = new Map(problems.toReversed().map((problem) => [problem.target, problem]));
  const once = problems.filter((problem) => byTarget.get(problem.target) === problem);
  const details = errorKinds.flatMap((kind) => once.filter((problem) => kindOf(problem) === kind));
  const [first] = details;
  switch (first === undefined ? "body" : kindOf(first)) {
    case "body":
      return invalidRequestBody(details);
    case "tokenLifetime":
      return invalidTokenLifetime(details);
    case "operationMode":
      return invalidLivenessOperationMode(version, details);
    case "device":
      return invalidDeviceCorrelationId(details);
  }
}

function toDetails(issue: z.core.$ZodIssue): ErrorDetail[] {
  if (issue.code === "unrecognized_keys") return issue.keys.slice(0, maxDetails).map(unknownField);
  const target = issue.path.join(".") || "body";
  return [target === "body" ? invalidField(target, "Must be an object.") : invalidField(target, issue.message)];
}

export function invalidField(target: string, message: string): ErrorDetail {
  return { code: "InvalidField", message, target };
}

export function duplicateField(target: string, message: string): ErrorDetail {
  return { code: "DuplicateField", message, target };
}

function unknownField(target: string): ErrorDetail {
  return { code: "UnknownField", message: "Unknown field in this version of the API.", target };
}

/**
 * Values that clients send as texts: all values of a form, and in JSON those of some samples (`"true"`, `passive`). Fields
 * without a reader stay as they are.
 */
const readers = new Map<string, (text: string) => unknown>([
  ["livenessOperationMode", readMode],
  ["deviceCorrelationIdSetInClient", readBoolean],
  ["userCorrelationIdSetInClient", readBoolean],
  ["sendResultsToClient", readBoolean],
  ["enableSessionImage", readBoolean],
  ["returnVerifyImageHash", readBoolean],
  ["authTokenTimeToLiveInSeconds", readNumber],
  ["numberOfClientAttemptsAllowed", readNumber],
  ["verifyConfidenceThreshold", readNumber],
]);

/** The fields of a request with texts read as the types of JSON. Invalid texts stay, and the schema refuses them. */
export function readTexts(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const read = ([name, field]: [string, unknown]) => [
    name,
    typeof field === "string" ? (readers.get(name)?.(field) ?? field) : field,
  ];
  return Object.fromEntries(Object.entries(value).map(read));
}

/** The spelling of the contract for a mode in any case. */
function readMode(text: string): string | undefined {
  return ["Passive", "PassiveActive"].find((mode) => mode.toLowerCase() === text.toLowerCase());
}

/** Parses a boolean. Returns the text itself if it is not one. */
export function readBoolean(text: string): boolean | string {
  const lower = text.toLowerCase();
  return lower === "true" || (lower === "false" ? false : text);
}

/** Parses a decimal number without sign and exponent. Returns the text itself if it is not one. */
export function readNumber(text: string): number | string {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
