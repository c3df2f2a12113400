import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import type { ApiVersion, SessionKind, SessionRequest } from "./model.ts";

/** How a field of a request is passed to an upstream version. */
export type Carriage =
  /** The version has the field. */
  | "carried"
  /** The version has the field, but supports only the values of its own dialect. */
  | "carried in its own dialect"
  /** The version does not have the field: the request is refused if it is set, or true. */
  | "refused"
  /** The version does not have the field; the app implements it. */
  | "done here";

type OptionalField = keyof Pick<
  SessionRequest,
  "sendResultsToClient" | "enableSessionImage" | "modelVersion" | "returnVerifyImageHash" | "verifyConfidenceThreshold"
>;

export interface CarryOverRule {
  /** `clientVerifyImage`: a session with verify that is created without an image, which the device submits later. */
  field: OptionalField | "clientVerifyImage";
  /** The field exists only for sessions with verify. */
  verifyOnly: boolean;
  towards: Record<ApiVersion, Carriage>;
}

/** Rules for passing a request of any dialect to an upstream version. Fields without a rule exist in all versions. */
export const carryOverRules: readonly CarryOverRule[] = [
  {
    field: "sendResultsToClient",
    verifyOnly: false,
    towards: { "v1.1-preview.1": "carried", "v1.2-preview.1": "carried", "v1.2": "refused" },
  },
  {
    field: "enableSessionImage",
    verifyOnly: false,
    towards: { "v1.1-preview.1": "refused", "v1.2-preview.1": "carried", "v1.2": "carried" },
  },
  {
    field: "modelVersion",
    verifyOnly: false,
    towards: {
      "v1.1-preview.1": "refused",
      "v1.2-preview.1": "carried in its own dialect",
      "v1.2": "carried in its own dialect",
    },
  },
  {
    field: "returnVerifyImageHash",
    verifyOnly: true,
    towards: { "v1.1-preview.1": "refused", "v1.2-preview.1": "carried", "v1.2": "carried" },
  },
  {
    field: "verifyConfidenceThreshold",
    verifyOnly: true,
    towards: { "v1.1-preview.1": "done here", "v1.2-preview.1": "carried", "v1.2": "carried" },
  },
  {
    field: "clientVerifyImage",
    verifyOnly: true,
    towards: { "v1.1-preview.1": "carried", "v1.2-preview.1": "carried", "v1.2": "refused" },
  },
];

/** Name of the field for the model version in each dialect. Absent if the dialect has no such field. */
export const modelVersionFields: Partial<Record<ApiVersion, string>> = {
  "v1.2-preview.1": "livenessSingleModalModel",
  "v1.2": "livenessModelVersion",
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
  const { sendResultsToClient, enableSessionImage, modelVersion } = request;
  const { returnVerifyImageHash, verifyConfidenceThreshold } = request;
  const carried: Pick<SessionRequest, OptionalField> = compact({
    sendResultsToClient,
    enableSessionImage,
    modelVersion,
    returnVerifyImageHash,
    verifyConfidenceThreshold,
  });
  if (kind === "liveness" && hasImage) throw notSupported(version, "verifyImage");
  for (const { field, verifyOnly, towards } of carryOverRules) {
    const carriage = kind === "liveness" && verifyOnly ? "refused" : towards[version];
    if (field === "clientVerifyImage") {
      const isRequested = kind === "livenessWithVerify" && !hasImage;
      if (isRequested && carriage === "refused") throw notSupported(version, "verifyImage");
    } else if (!isSupported(carriage, version, request)) {
      const isRequested = request[field] !== undefined && request[field] !== false;
      if (isRequested && carriage !== "done here") throw notSupported(version, nameOf(field, request.modelVersionOf));
      delete carried[field];
    }
  }
  return carried;
}

function isSupported(carriage: Carriage, version: ApiVersion, request: SessionRequest): boolean {
  if (carriage === "carried in its own dialect") return (request.modelVersionOf ?? version) === version;
  return carriage === "carried";
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
