import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import type { ApiVersion, SessionKind, SessionRequest, VerifyImage } from "./model.ts";

/** What becomes of a field towards a version upstream. */
export type Carriage =
  /** The version has it. */
  | "carried"
  /** The version has it, but knows only the values of its own dialect. */
  | "carried in its own dialect"
  /** The version lacks it: refused where it is set, or true. */
  | "refused"
  /** The version lacks it, and we do it ourselves. */
  | "done here";

type OptionalField = keyof Pick<
  SessionRequest,
  "sendResultsToClient" | "enableSessionImage" | "modelVersion" | "returnVerifyImageHash" | "verifyConfidenceThreshold"
>;

export interface CarryOverRule {
  /** `clientVerifyImage`: a session with verify whose image the device submits, as none came with the creation. */
  field: OptionalField | "clientVerifyImage";
  /** True where the field exists only for sessions with verify. */
  verifyOnly: boolean;
  towards: Record<ApiVersion, Carriage>;
}

/** Every rule by which a request of one dialect is carried over to a version upstream; other fields all versions have. */
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

/** What the dialects call a model version; absent where they have none. */
export const modelVersionFields: Partial<Record<ApiVersion, string>> = {
  "v1.2-preview.1": "livenessSingleModalModel",
  "v1.2": "livenessModelVersion",
};

/**
 * The optional fields of a request that `version` takes, under their neutral names.
 *
 * @throws ApiError 400 `NotSupportedByUpstreamVersion` for what the version cannot carry.
 */
export function carryOver(
  version: ApiVersion,
  kind: SessionKind,
  request: SessionRequest,
  image: VerifyImage | undefined,
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
  if (kind === "liveness" && image !== undefined) throw notSupported(version, "verifyImage");
  for (const { field, verifyOnly, towards } of carryOverRules) {
    const carriage = kind === "liveness" && verifyOnly ? "refused" : towards[version];
    if (field === "clientVerifyImage") {
      const isAsked = kind === "livenessWithVerify" && image === undefined;
      if (isAsked && carriage === "refused") throw notSupported(version, "verifyImage");
    } else if (!isTaken(carriage, version, request)) {
      const isAsked = request[field] !== undefined && request[field] !== false;
      if (isAsked && carriage !== "done here") throw notSupported(version, nameOf(field, request.modelVersionOf));
      delete carried[field];
    }
  }
  return carried;
}

function isTaken(carriage: Carriage, version: ApiVersion, request: SessionRequest): boolean {
  if (carriage === "carried in its own dialect") return (request.modelVersionOf ?? version) === version;
  return carriage === "carried";
}

function nameOf(field: OptionalField, dialect: ApiVersion | undefined): string {
  return (field === "modelVersion" && dialect !== undefined && modelVersionFields[dialect]) || field;
}

function notSupported(version: ApiVersion, target: string): ApiError {
  const message = `${target} as requested cannot be carried over to version ${version} of the Face API, which is called here.`;
  return new ApiError(400, "NotSupportedByUpstreamVersion", message, {
    details: [{ code: "NotSupportedByUpstreamVersion", message: `Version ${version} has no equivalent.`, target }],
  });
}
