import * as z from "zod";
import { conditionShape, type ImageMetadata, type KeptImage } from "../../../src/functions/reference-images.ts";
import { imageLimits, imageTypes } from "../../../src/liveness/images/inspect-image.ts";
import type { BodyShape, Operations } from "../operation.ts";

/** Stored reference images. */
export const referenceImageOperations: Operations = {
  putReferenceImage: () => ({
    headers: putConditions(),
    body: imageBody(),
    answers: {
      200: {
        description: "The image was replaced.",
        headers: etagHeader(),
        json: keptShape,
      },
      201: { description: "The image was stored.", headers: etagHeader(), json: keptShape },
    },
    errors: {
      400: ["InvalidImage", "InvalidImageSize", "InvalidDeviceCorrelationId", "BadArgument", "InvalidRequestBody"],
      404: ["ResourceNotFound"],
      412: ["ConditionNotMet"],
      413: ["RequestBodyTooLarge"],
      415: ["BadArgument"],
      429: ["TooManyReferenceImages"],
      503: ["ServerBusy"],
    },
  }),
  getReferenceImage: () => ({
    headers: readConditions(),
    answers: {
      200: { description: "The image's bytes.", headers: etagHeader(), bytes: imageTypes },
      304: { description: "The image in the caller's cache is current.", headers: etagHeader() },
    },
    errors: { 404: ["ResourceNotFound"] },
  }),
  getReferenceImageMetadata: () => ({
    answers: {
      200: {
        description: "The image's metadata.",
        headers: etagHeader(),
        json: metadataShape,
      },
    },
    errors: { 404: ["ResourceNotFound"] },
  }),
  deleteReferenceImage: () => ({
    headers: deleteConditions(),
    answers: { 204: { description: "The image was deleted." } },
    errors: {
      400: ["BadArgument"],
      404: ["ResourceNotFound"],
      412: ["ConditionNotMet"],
      503: ["ServerBusy"],
    },
  }),
};

const factsOf = {
  referenceImageId: z.string(),
  contentType: z.enum(imageTypes),
  width: z.int().min(imageLimits.minPixels).max(imageLimits.maxPixels),
  height: z.int().min(imageLimits.minPixels).max(imageLimits.maxPixels),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("SHA-256 (hex) of the bytes."),
  deviceCorrelationId: z.string().describe("The device to which the image is bound.").exactOptional(),
};

const keptShape: z.ZodType<KeptImage> = z.object(factsOf).meta({ id: "ReferenceImage" });

const metadataShape: z.ZodType<ImageMetadata> = z
  .object({ ...factsOf, sizeInBytes: z.int().min(imageLimits.minBytes), createdOn: z.iso.datetime() })
  .meta({ id: "ReferenceImageMetadata" });

/** The image's bytes. The declared content type does not matter: the app reads the type from the image. */
function imageBody(): BodyShape {
  const shape = z.file().min(imageLimits.minBytes).max(imageLimits.maxBytes);
  const types = [...imageTypes, "application/octet-stream"];
  return { content: Object.fromEntries(types.map((type) => [type, shape])) };
}

const etagHeader = () => z.object({ etag: z.string() });

const ifMatch = () =>
  z.string().regex(conditionShape).optional().describe("One ETag, or `*`. Must match the stored image.");

const deleteConditions = () => z.object({ "If-Match": ifMatch() });
const putConditions = () =>
  z.object({
    "If-Match": ifMatch(),
    "If-None-Match": z.literal("*").optional().describe("Requires that no image is stored."),
  });
const readConditions = () =>
  z.object({ "If-None-Match": z.string().optional().describe("ETags in the caller's cache; 304 if one matches.") });
