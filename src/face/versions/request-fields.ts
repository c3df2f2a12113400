import * as z from "zod";
import { invalidDeviceCorrelationId, invalidRequestBody, invalidTokenLifetime } from "../../api-errors.ts";
import { type ApiError, type ErrorDetail, maxDetails } from "../../errors.ts";
import { invalidLivenessOperationMode } from "../errors.ts";
import { type ApiVersion, isBoundedText, maxDeviceIdLength, referenceIdPattern } from "../model.ts";

/**
 * The fields of a create request that several versions share, each with its rule in one sentence, which the caller gets
 * to read. Requests are strict everywhere: a misspelt threshold that were dropped would let the wrong person in.
 */

/** `isBoundedText` as a schema. Its `min` and `max` are for JSON Schema, and count code points as that does. */
export function boundedText(maxLength: number) {
  const error = `Must be 1 to ${maxLength} UTF-16 code units of well-formed Unicode.`;
  return z
    .string({ error })
    .min(1, { error })
    .max(maxLength, { error })
    .refine((text) => isBoundedText(text, maxLength), { error });
}

const flag = (description: string) => z.boolean({ error: "Must be true or false." }).describe(description);

export const deviceId = boundedText(maxDeviceIdLength);

const deviceCorrelationId = deviceId
  .nullish()
  .describe("The end user's device; required unless deviceCorrelationIdSetInClient is true, and absent or null then.");

/** A part of a form, which cannot be null. */
export const deviceCorrelationIdPart = deviceId
  .optional()
  .describe("The end user's device; required unless deviceCorrelationIdSetInClient is true, and absent then.");

const authTokenTimeToLiveInSeconds = z
  .int({ error: "Must be an integer." })
  .min(60, { error: "Must be at least 60." })
  .max(86_400, { error: "Must be at most 86400." })
  .default(600)
  .describe("Life of the session's token in seconds.");

const clientReferenceId = boundedText(128)
  .optional()
  .describe("The app's own reference for the session. An addition to the dialect.");

/** What every version takes for either kind of session, and our own addition for both. */
export const sharedFields = {
  livenessOperationMode: z
    .enum(["Passive", "PassiveActive"], { error: "Must be 'Passive' or 'PassiveActive'." })
    .describe("What the device asks of the user."),
  deviceCorrelationId,
  deviceCorrelationIdSetInClient: flag("The device names itself when it starts.").default(false),
  authTokenTimeToLiveInSeconds,
  clientReferenceId,
};

const referenceIdRule = { error: "Must match [A-Za-z0-9_-]{1,64}." };
/** The id of a stored reference image. */
export const referenceId = z.string(referenceIdRule).regex(referenceIdPattern, referenceIdRule);

/** Our own addition for sessions with verify. */
export const referenceImageId = referenceId
  .optional()
  .describe("Names a held reference image, which then stands for the verify image. An addition to the dialect.");

/** Our own addition for sessions whose image the device submits. */
export const expectedReferenceImageId = referenceId
  .optional()
  .describe("Names the held image that the device is expected to submit. An addition to the dialect.");

export const sendResultsToClient = flag("The device gets to see its result.").optional();
export const enableSessionImage = flag("The service keeps an image of each attempt.").optional();
export const returnVerifyImageHash = flag("The result tells the SHA-256 of the verify image.").optional();

export const verifyConfidenceThreshold = z
  .number({ error: "Must be a number." })
  .min(0, { error: "Must be at least 0." })
  .max(1, { error: "Must be at most 1." })
  .optional()
  .describe("Lowest confidence of a match that counts as identical.");

/** Model versions are an open set. */
export const modelVersion = boundedText(128).optional().describe("The model that classifies; the newest where absent.");

/** Requires of a parsed request that the device is named by one side, here or in the client. */
export function requireOneDevice(
  request: { deviceCorrelationId?: string | null | undefined; deviceCorrelationIdSetInClient: boolean },
  context: z.RefinementCtx,
): void {
  const isNamed = typeof request.deviceCorrelationId === "string";
  if (isNamed !== request.deviceCorrelationIdSetInClient) return;
  const message = isNamed
    ? "Must be absent or null where deviceCorrelationIdSetInClient is true."
    : "Required unless deviceCorrelationIdSetInClient is true.";
  context.addIssue({ code: "custom", message, path: ["deviceCorrelationId"] });
}

/** `requireOneDevice` as JSON Schema has it. */
const namesOneDevice = {
  anyOf: [
    {
      title: "The device is named here",
      required: ["deviceCorrelationId"],
      properties: { deviceCorrelationId: { type: "string" }, deviceCorrelationIdSetInClient: { const: false } },
    },
    {
      title: "The device names itself",
      required: ["deviceCorrelationIdSetInClient"],
      properties: { deviceCorrelationId: { type: "null" }, deviceCorrelationIdSetInClient: { const: true } },
    },
  ],
};

/**
 * What a create request is called in a description, and what holds between its fields, for those who read the schema
 * alone.
 *
 * @param rules JSON Schema, beside the rule for the device.
 */
export function requestMeta(version: ApiVersion, name: string, ...rules: object[]): { id: string; allOf: object[] } {
  return { id: `${name}_${version}`, allOf: [namesOneDevice, ...rules] };
}

/**
 * Parses the fields of a request.
 *
 * @param problems what is wrong beside the fields, such as with the parts that they came in.
 * @throws ApiError 400 for the first kind of error in the order of the service's table; all the details are told.
 */
export function parseRequest<Fields>(
  version: ApiVersion,
  schema: z.ZodType<Fields>,
  value: unknown,
  problems: readonly ErrorDetail[] = [],
): Fields {
  const parsed = schema.safeParse(value);
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

const errorKinds: readonly ErrorKind[] = ["body", "tokenLifetime", "operationMode", "device"];

function refusal(version: ApiVersion, problems: readonly ErrorDetail[]): ApiError {
  const kindOf = ({ code, target }: ErrorDetail) => (code === "InvalidField" && kindsByField.get(target)) || "body";
  // One is enough for each field: the first says it best.
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
  return { code: "UnknownField", message: "There is no such field in this version of the API.", target };
}
