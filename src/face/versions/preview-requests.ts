import * as z from "zod";
import { invalidMediaType } from "../../api-errors.ts";
import type { ErrorDetail } from "../../errors.ts";
import type { CreateRequest, RequestBody } from "../codec.ts";
import { isRecord } from "../json.ts";
import type { ApiVersion, SessionKind, SessionRequest, VerifyImage } from "../model.ts";
import {
  type Form,
  formMeta,
  imageFile,
  invalidParameters,
  parametersName,
  readFields,
  readForm,
  writeImage,
} from "./multipart.ts";
import { fieldsFor, invalidField, parseRequest, type RequestFields, toCreateRequest } from "./parse-request.ts";
import { referenceImageId, requestMeta } from "./request-fields.ts";

/** Create requests of the previews: JSON, or a form with the same JSON in one part and the image in another. */

const imageName = "VerifyImage";
/** The app's additional fields, which may also be parts of their own. */
const additionNames = ["referenceImageId", "expectedReferenceImageId", "clientReferenceId"];

/** Throws `ApiError` 400 with the codes and messages of the service, 415 for a form of kind `liveness`. */
export function decodePreviewRequest(
  version: ApiVersion,
  schema: z.ZodType<RequestFields>,
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

/** The fields of a form: those in `Parameters` and the additional fields that are parts of their own. */
function readParameters(form: Form): { value: unknown; problems: ErrorDetail[] } {
  if (!form.texts.has(parametersName)) throw invalidParameters();
  const { fields, problems } = readFields(form);
  const hasImage = form.names.has(imageName);
  return {
    value: fields,
    problems: [
      ...form.problems,
      ...problems,
      ...imageProblems(hasImage, Object.hasOwn(fields, "referenceImageId")),
      ...expectationProblems(hasImage ? { ...fields, referenceImageId: true } : fields),
    ],
  };
}

/** A form must contain an image or the id of one: creations whose image the device submits are sent as JSON. */
function imageProblems(hasImage: boolean, hasReference: boolean): ErrorDetail[] {
  if (hasImage !== hasReference) return [];
  const message = hasImage
    ? "Must not be combined with referenceImageId."
    : "Required in multipart/form-data unless referenceImageId is set.";
  return [invalidField(imageName, message)];
}

/** Schema of a form. Additional fields are documented in one place only, although they may be in `Parameters` or in parts. */
export function previewForm(version: ApiVersion, parameters: z.ZodRawShape): z.ZodType {
  return z
    .strictObject({
      [parametersName]: z.strictObject(parameters).meta(requestMeta(version, "CreateLivenessWithVerifyParameters")),
      [imageName]: imageFile().optional(),
      referenceImageId,
    })
    .meta(formMeta(imageName));
}

/** `expectedReferenceImageId` is for sessions that are created without an image. */
function expectationProblems(value: Record<string, unknown>): ErrorDetail[] {
  const isBoth = Object.hasOwn(value, "expectedReferenceImageId") && Object.hasOwn(value, "referenceImageId");
  return isBoth ? [invalidField("expectedReferenceImageId", "Only for sessions whose image the device submits.")] : [];
}

/** Throws `ApiError` 400 for fields that the version does not support. */
export function encodePreviewRequest(
  version: ApiVersion,
  kind: SessionKind,
  request: SessionRequest,
  image: VerifyImage | undefined,
): RequestBody {
  const value = fieldsFor(version, kind, request, image !== undefined);
  if (image === undefined) return { type: "json", value };
  const parameters = { name: parametersName, contentType: "application/json", content: JSON.stringify(value) };
  return { type: "multipart", parts: [parameters, writeImage(imageName, image)] };
}
