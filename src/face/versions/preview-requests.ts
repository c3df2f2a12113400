import * as z from "zod";
import { invalidMediaType, invalidRequestBody } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { ErrorDetail } from "../../errors.ts";
import { carryOver, modelVersionFields } from "../carry-over.ts";
import type { CreateRequest, RequestBody } from "../codec.ts";
import { parseJson } from "../json-text.ts";
import type { ApiVersion, SessionKind, SessionRequest, VerifyImage } from "../model.ts";
import { isRecord } from "../objects.ts";
import { type Form, formMeta, imageFile, readForm, writeImage } from "./multipart.ts";
import { duplicateField, invalidField, parseRequest, referenceImageId, requestMeta } from "./request-fields.ts";

/** Create requests of the previews: JSON, or a form with the same JSON as one part beside the image. */

const parametersName = "Parameters";
const imageName = "VerifyImage";
/** Our own additions, which may also come as parts beside `Parameters`. */
const additionNames = ["referenceImageId", "expectedReferenceImageId", "clientReferenceId"];

/** The fields of a create request, of either preview and kind, with the defaults filled in. */
export interface PreviewRequest {
  livenessOperationMode: SessionRequest["livenessOperationMode"];
  deviceCorrelationId?: string | null | undefined;
  deviceCorrelationIdSetInClient: boolean;
  authTokenTimeToLiveInSeconds: number;
  sendResultsToClient?: boolean | undefined;
  enableSessionImage?: boolean | undefined;
  livenessSingleModalModel?: string | undefined;
  returnVerifyImageHash?: boolean | undefined;
  verifyConfidenceThreshold?: number | undefined;
  referenceImageId?: string | undefined;
  expectedReferenceImageId?: string | undefined;
  clientReferenceId?: string | undefined;
}

/** Throws `ApiError` 400 in the service's words, 415 for a form without anything to verify. */
export function decodePreviewRequest(
  version: ApiVersion,
  schema: z.ZodType<PreviewRequest>,
  kind: SessionKind,
  body: RequestBody,
): CreateRequest {
  if (body.type === "json") {
    const problems = isRecord(body.value) ? expectationProblems(body.value) : [];
    return toCreateRequest(version, parseRequest(version, schema, body.value, problems));
  }
  if (kind === "liveness") throw invalidMediaType();
  const form = readForm(body.parts, [parametersName, ...additionNames], imageName);
  const { value, problems } = readParameters(form);
  return toCreateRequest(version, parseRequest(version, schema, value, problems), form.image);
}

/** The fields of a form: those in `Parameters`, and our additions from wherever they came. */
function readParameters({ names, texts, problems }: Form): { value: unknown; problems: ErrorDetail[] } {
  const parameters = parseParameters(texts.get(parametersName));
  const beside = [...texts].filter(([name]) => name !== parametersName);
  const twice = beside.filter(([name]) => Object.hasOwn(parameters, name));
  const value = { ...parameters, ...Object.fromEntries(beside) };
  return {
    value,
    problems: [
      ...problems,
      ...twice.map(([name]) => duplicateField(name, `Must come once, in ${parametersName} or beside it.`)),
      ...imageProblems(names.has(imageName), Object.hasOwn(value, "referenceImageId")),
      ...(names.has(imageName)
        ? expectationProblems({ ...value, referenceImageId: true })
        : expectationProblems(value)),
    ],
  };
}

/** Throws `ApiError` 400 for anything but an object. */
function parseParameters(text = ""): Record<string, unknown> {
  try {
    const parameters = parseJson(text);
    if (isRecord(parameters)) return parameters;
  } catch {
    // ClientReport in the same words as JSON that is no object.
  }
  throw invalidRequestBody([invalidField(parametersName, "Must be a part with a JSON object.")]);
}

/** Without an image a form makes no sense; a creation whose image the device submits is sent as JSON. */
function imageProblems(hasImage: boolean, hasReference: boolean): ErrorDetail[] {
  if (hasImage !== hasReference) return [];
  const message = hasImage
    ? "Must not come together with referenceImageId."
    : "Required in multipart/form-data, unless referenceImageId names a held image.";
  return [invalidField(imageName, message)];
}

/** The rule of `expectationProblems` for JSON, as JSON Schema has it. */
export const namesOneImage = {
  anyOf: ["referenceImageId", "expectedReferenceImageId"].map((absent) => ({ properties: { [absent]: { not: {} } } })),
};

/** A form as we would have it written: what else may stand in `Parameters` may also come beside it, but only once. */
export function previewForm(version: ApiVersion, parameters: z.ZodRawShape): z.ZodType {
  return z
    .strictObject({
      [parametersName]: z.strictObject(parameters).meta(requestMeta(version, "CreateLivenessWithVerifyParameters")),
      [imageName]: imageFile().optional(),
      referenceImageId,
    })
    .meta(formMeta(imageName));
}

/** Where the image is known, there is nothing to expect of the device. */
function expectationProblems(value: Record<string, unknown>): ErrorDetail[] {
  const isBoth = Object.hasOwn(value, "expectedReferenceImageId") && Object.hasOwn(value, "referenceImageId");
  return isBoth ? [invalidField("expectedReferenceImageId", "Is for sessions whose image the device submits.")] : [];
}

function toCreateRequest(version: ApiVersion, fields: PreviewRequest, image?: VerifyImage): CreateRequest {
  const { livenessSingleModalModel: modelVersion, ...additionsAndRest } = fields;
  const { referenceImageId, expectedReferenceImageId, clientReferenceId, ...rest } = additionsAndRest;
  const modelVersionOf = modelVersion === undefined ? undefined : version;
  return compact({
    request: compact({ ...rest, modelVersion, modelVersionOf }),
    image,
    referenceImageId,
    expectedReferenceImageId,
    clientReferenceId,
  });
}

/** Throws `ApiError` 400 for what the version cannot carry. */
export function encodePreviewRequest(
  version: ApiVersion,
  kind: SessionKind,
  request: SessionRequest,
  image: VerifyImage | undefined,
): RequestBody {
  const { livenessOperationMode, deviceCorrelationId, deviceCorrelationIdSetInClient } = request;
  const { authTokenTimeToLiveInSeconds } = request;
  const { modelVersion, ...carried } = carryOver(version, kind, request, image);
  const modelField = modelVersionFields[version];
  const value = compact({
    livenessOperationMode,
    deviceCorrelationId,
    deviceCorrelationIdSetInClient,
    authTokenTimeToLiveInSeconds,
    ...carried,
    ...(modelField !== undefined && { [modelField]: modelVersion }),
  });
  if (image === undefined) return { type: "json", value };
  const parameters = { name: parametersName, contentType: "application/json", content: JSON.stringify(value) };
  return { type: "multipart", parts: [parameters, writeImage(imageName, image)] };
}
