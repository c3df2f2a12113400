import { ApiError } from "../errors.ts";
import type { ApiVersion, SessionKind, SessionRequest } from "./model.ts";

const ownDialect = "carried in its own dialect";

/** Whether a version supports a field of a request. */
export type Support =
  /** The version has the field. */
  | "carried"
  /** The version has the field, but supports only values from dialects with the same field. */
  | typeof ownDialect
  /** The version does not have the field: a request with the field, unless it is false, is refused. */
  | "refused"
  /** The version does not have the field; the app implements it. */
  | "done here";

export interface CarryOverRule<Field extends keyof SessionRequest> {
  field: Field;
  /** The field exists only for sessions with verify. */
  verifyOnly: boolean;
  towards: Record<ApiVersion, Support>;
}

function rule<Field extends keyof SessionRequest>(
  field: Field,
  ...[v11p, v12p, v12, v13p]: [Support, Support, Support, Support]
): CarryOverRule<Field> {
  return {
    field,
    verifyOnly: field === "returnVerifyImageHash" || field === "verifyConfidenceThreshold",
    towards: { "v1.1-preview.1": v11p, "v1.2-preview.1": v12p, "v1.2": v12, "v1.3-preview.1": v13p },
  };
}

/**
 * Rules for passing a request of any dialect to an upstream version. The arguments of `rule` are in the order of
 * `apiVersions`. Fields without a rule exist in all versions, and so do sessions with verify whose image the device
 * submits.
 */
export const carryOverRules = [
  rule("userCorrelationId", "done here", "done here", "done here", "carried"),
  rule("userCorrelationIdSetInClient", "refused", "refused", "refused", "carried"),
  rule("numberOfClientAttemptsAllowed", "done here", "done here", "done here", "carried"),
  // Older versions return no address of the device, so that the app cannot check it either.
  rule("expectedClientIpAddress", "refused", "refused", "refused", "carried"),
  rule("sendResultsToClient", "carried", "carried", "refused", "refused"),
  rule("enableSessionImage", "refused", "carried", "carried", "carried"),
  rule("modelVersion", "refused", ownDialect, ownDialect, ownDialect),
  rule("returnVerifyImageHash", "refused", "carried", "carried", "carried"),
  rule("verifyConfidenceThreshold", "done here", "carried", "carried", "carried"),
];
type OptionalField = (typeof carryOverRules)[number]["field"];

/** Name of the field for the model version in each dialect. Absent if the dialect has no such field. */
export const modelVersionFields: Partial<Record<ApiVersion, string>> = {
  "v1.2-preview.1": "livenessSingleModalModel",
  "v1.2": "livenessModelVersion",
  "v1.3-preview.1": "livenessModelVersion",
};

/**
 * The optional fields of a request that `version` supports, under the names of the model.
 *
 * @param hasImage whether the request contains a verify image; otherwise the device submits it.
 * @throws ApiError 400 `NotSupportedByUpstreamVersion` for fields that the version does not support.
 */
export function carryOver(
  version: ApiVersion,
  kind: SessionKind,
  request: SessionRequest,
  hasImage: boolean,
): Pick<SessionRequest, OptionalField> {
  if (kind === "liveness" && hasImage) throw notSupported(version, "verifyImage");
  const carried: [OptionalField, unknown][] = [];
  for (const { field, verifyOnly, towards } of carryOverRules) {
    const value = request[field];
    if (value === undefined) continue;
    const support = kind === "liveness" && verifyOnly ? "refused" : towards[version];
    if (isSupported(support, version, request)) carried.push([field, value]);
    else if (value !== false && support !== "done here") {
      throw notSupported(version, nameOf(field, request.modelVersionOf));
    }
  }
  return Object.fromEntries(carried);
}

/** Whether the version has the field, with any value. */
export function isCarried(field: OptionalField, version: ApiVersion): boolean {
  return carryOverRules.some((rule) => rule.field === field && rule.towards[version] === "carried");
}

function isSupported(support: Support, version: ApiVersion, { modelVersionOf = version }: SessionRequest): boolean {
  if (support === ownDialect) return modelVersionFields[modelVersionOf] === modelVersionFields[version];
  return support === "carried";
}

function nameOf(field: OptionalField, dialect: ApiVersion | undefined): string {
  return (field === "modelVersion" && dialect !== undefined && modelVersionFields[dialect]) || field;
}

function notSupported(version: ApiVersion, target: string): ApiError {
  const message = `Version ${version} of the Face API, which this deployment calls, does not support ${target} as requested.`;
  return new ApiError(400, "NotSupportedByUpstreamVersion", message, {
    details: [{ code: "NotSupportedByUpstreamVersion", message: `Version ${version} has no equivalent.`, target }],
  });
}
