import * as z from "zod";
import { makePreviewCodec } from "./previews.ts";
import {
  enableSessionImage,
  expectedReferenceImageId,
  modelVersion,
  referenceImageId,
  requireOneDevice,
  returnVerifyImageHash,
  sendResultsToClient,
  sharedFields,
  verifyConfidenceThreshold,
} from "./request-fields.ts";

/** Version v1.2-preview.1: the older preview and session images, model versions, the image's hash and a threshold. */

const livenessFields = {
  ...sharedFields,
  sendResultsToClient,
  enableSessionImage,
  livenessSingleModalModel: modelVersion,
};

export const createLivenessRequest = z.strictObject(livenessFields).superRefine(requireOneDevice);
/** The body as JSON, or the `Parameters` part beside the file part `VerifyImage`. */
export const createLivenessWithVerifyRequest = z
  .strictObject({
    ...livenessFields,
    returnVerifyImageHash,
    verifyConfidenceThreshold,
    referenceImageId,
    expectedReferenceImageId,
  })
  .superRefine(requireOneDevice);

export const codec = makePreviewCodec({
  version: "v1.2-preview.1",
  requests: { liveness: createLivenessRequest, livenessWithVerify: createLivenessWithVerifyRequest },
  hasSessionImages: true,
});
