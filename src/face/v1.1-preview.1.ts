import * as z from "zod";
import { makePreviewCodec } from "./previews.ts";
import {
  expectedReferenceImageId,
  referenceImageId,
  requireOneDevice,
  sendResultsToClient,
  sharedFields,
} from "./request-fields.ts";

/** Version v1.1-preview.1: the oldest, with neither session images nor a threshold of the caller's own. */

const livenessFields = { ...sharedFields, sendResultsToClient };

export const createLivenessRequest = z.strictObject(livenessFields).superRefine(requireOneDevice);
/** The body as JSON, or the `Parameters` part beside the file part `VerifyImage`. */
export const createLivenessWithVerifyRequest = z
  .strictObject({ ...livenessFields, referenceImageId, expectedReferenceImageId })
  .superRefine(requireOneDevice);

export const codec = makePreviewCodec({
  version: "v1.1-preview.1",
  requests: { liveness: createLivenessRequest, livenessWithVerify: createLivenessWithVerifyRequest },
  hasSessionImages: false,
});
