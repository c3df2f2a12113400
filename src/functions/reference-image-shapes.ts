import * as z from "zod";
import type { BodyShape } from "../http/operation.ts";
import { imageLimits, imageTypes } from "../liveness/images/inspect-image.ts";

/** Bodies and headers of the reference images' routes. */

/** Allowed values of `If-Match` and `If-None-Match`: `*`, or one ETag without a comma, which would begin another ETag. */
export const conditionShape = /^(\*|(W\/)?"[\x21\x23-\x2b\x2d-\x7e]*")$/;

const factsOf = {
  referenceImageId: z.string(),
  contentType: z.enum(imageTypes),
  width: z.int().min(imageLimits.minPixels).max(imageLimits.maxPixels),
  height: z.int().min(imageLimits.minPixels).max(imageLimits.maxPixels),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  deviceCorrelationId: z.string().exactOptional(),
};

export const keptShape = z.object(factsOf).meta({ id: "ReferenceImage" });
export type KeptImage = z.infer<typeof keptShape>;

export const metadataShape = z
  .object({ ...factsOf, sizeInBytes: z.int().min(imageLimits.minBytes), createdOn: z.iso.datetime() })
  .meta({ id: "ReferenceImageMetadata" });
export type ImageMetadata = z.infer<typeof metadataShape>;

/** The image's bytes. The declared content type does not matter: the app reads the type from the image. */
export function imageBody(): BodyShape {
  const shape = z.file().min(imageLimits.minBytes).max(imageLimits.maxBytes);
  const types = [...imageTypes, "application/octet-stream"];
  return { content: Object.fromEntries(types.map((type) => [type, shape])) };
}

export const etagHeader = () => z.object({ etag: z.string() });

const ifMatch = () =>
  z.string().regex(conditionShape).optional().describe("One ETag, or `*`. Must match the stored image.");

export const deleteConditions = () => z.object({ "If-Match": ifMatch() });
export const putConditions = () =>
  z.object({
    "If-Match": ifMatch(),
    "If-None-Match": z.literal("*").optional().describe("Requires that no image is stored."),
  });
export const readConditions = () =>
  z.object({ "If-None-Match": z.string().optional().describe("ETags in the caller's cache; 304 if one matches.") });
