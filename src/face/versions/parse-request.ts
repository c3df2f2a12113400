import type * as z from "zod";
import { invalidDeviceCorrelationId, invalidRequestBody, invalidTokenLifetime } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import { type ApiError, type ErrorDetail, maxDetails } from "../../errors.ts";
import { carryOver, modelVersionFields } from "../carry-over.ts";
import type { CreateRequest } from "../codec.ts";
import { invalidLivenessOperationMode } from "../errors.ts";
import { isRecord } from "../json.ts";
import type { ApiVersion, SessionKind, SessionRequest, VerifyImage } from "../model.ts";

/** Converts the fields of a create request to the model, and the model to the fields of a version. */

/** The fields of a create request of any version and kind, with defaults. */
export interface RequestFields {
  livenessOperationMode: SessionRequest["livenessOperationMode"];
  deviceCorrelationId?: string | null | undefined;
  deviceCorrelationIdSetInClient: boolean;
  userCorrelationId?: string | null | undefined;
  userCorrelationIdSetInClient?: boolean | undefined;
  authTokenTimeToLiveInSeconds: number;
  numberOfClientAttemptsAllowed?: number | undefined;
  expectedClientIpAddress?: string | undefined;
  sendResultsToClient?: boolean | undefined;
  enableSessionImage?: boolean | undefined;
  livenessSingleModalModel?: string | undefined;
  livenessModelVersion?: string | undefined;
  returnVerifyImageHash?: boolean | undefined;
  verifyConfidenceThreshold?: number | undefined;
  referenceImageId?: string | undefined;
  expectedReferenceImageId?: string | undefined;
  clientReferenceId?: string | undefined;
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
