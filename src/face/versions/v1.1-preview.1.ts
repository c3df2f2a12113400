import * as z from "zod";
import { makePreviewCodec } from "./previews.ts";
import {
  atMostOne,
  expectedReferenceImageId,
  referenceImageId,
  requestMeta,
  requireOneDevice,
  sendResultsToClient,
  sharedFields,
} from "./request-fields.ts";

/** Version v1.1-preview.1, the oldest: without session images and without the caller's own threshold. */

const version = "v1.1-preview.1";

const livenessFields = { ...sharedFields, sendResultsToClient };

export const createLivenessRequest = z
  .strictObject(livenessFields)
  .superRefine(requireOneDevice)
  .meta(requestMeta(version, "CreateLivenessRequest"));
/** The JSON body, or the part `Parameters` of a form with the file part `VerifyImage`. */
export const createLivenessWithVerifyRequest = z
  .strictObject({ ...livenessFields, referenceImageId, expectedReferenceImageId })
  .superRefine(requireOneDevice)
  .meta(
    requestMeta(version, "CreateLivenessWithVerifyRequest", atMostOne("referenceImageId", "expectedReferenceImageId")),
  );

export const codec = makePreviewCodec({
  version,
  requests: { liveness: createLivenessRequest, livenessWithVerify: createLivenessWithVerifyRequest },
  parameters: livenessFields,
  hasSessionImages: false,
});
