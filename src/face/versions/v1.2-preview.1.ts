import * as z from "zod";
import { makePreviewCodec } from "./previews.ts";
import {
  atMostOne,
  enableSessionImage,
  expectedReferenceImageId,
  modelVersion,
  referenceImageId,
  requestMeta,
  requireOneDevice,
  returnVerifyImageHash,
  sendResultsToClient,
  sharedFields,
  verifyConfidenceThreshold,
} from "./request-fields.ts";

/** Version v1.2-preview.1: adds session images, model versions, the image's hash and a threshold to the older preview. */

const version = "v1.2-preview.1";

const livenessFields = {
  ...sharedFields,
  sendResultsToClient,
  enableSessionImage,
  livenessSingleModalModel: modelVersion,
};
const verifyFields = { ...livenessFields, returnVerifyImageHash, verifyConfidenceThreshold };

export const createLivenessRequest = z
  .strictObject(livenessFields)
  .superRefine(requireOneDevice)
  .meta(requestMeta(version, "CreateLivenessRequest"));
/** The JSON body, or the part `Parameters` of a form with the file part `VerifyImage`. */
export const createLivenessWithVerifyRequest = z
  .strictObject({ ...verifyFields, referenceImageId, expectedReferenceImageId })
  .superRefine(requireOneDevice)
  .meta(
    requestMeta(version, "CreateLivenessWithVerifyRequest", atMostOne("referenceImageId", "expectedReferenceImageId")),
  );

export const codec = makePreviewCodec({
  version,
  requests: { liveness: createLivenessRequest, livenessWithVerify: createLivenessWithVerifyRequest },
  parameters: verifyFields,
  hasSessionImages: true,
});
