import * as z from "zod";
import { conditionShape } from "../etag.ts";
import type { BodyShape } from "../http/operation.ts";
import { imageLimits, imageTypes } from "../liveness/images/inspect-image.ts";

/** What goes in and out at the reference images' routes. */

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

/** The bytes, whatever the sender calls them: what counts is read from the image itself. */
export function imageBody(): BodyShape {
  const shape = z.file().min(imageLimits.minBytes).max(imageLimits.maxBytes);
  const types = [...imageTypes, "application/octet-stream"];
  return { content: Object.fromEntries(types.map((type) => [type, shape])) };
}

export const etagHeader = () => z.object({ etag: z.string() });

const ifMatch = () =>
  z.string().regex(conditionShape).optional().describe("One ETag, or `*`: only where it is the image's.");

export const deleteConditions = () => z.object({ "If-Match": ifMatch() });
export const putConditions = () =>
  z.object({
    "If-Match": ifMatch(),
    "If-None-Match": z.literal("*").optional().describe("Only where there is no image yet."),
  });
export const readConditions = () =>
  z.object({ "If-None-Match": z.string().optional().describe("ETags that the caller has: 304 for those.") });
