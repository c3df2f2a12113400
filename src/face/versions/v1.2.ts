import * as z from "zod";
import {
  atMostOne,
  enableSessionImage,
  expectedReferenceImageId,
  modelVersion,
  referenceImageId,
  requestMeta,
  requireOneDevice,
  returnVerifyImageHash,
  sharedFields,
  userCorrelationId,
  verifyConfidenceThreshold,
} from "./request-fields.ts";
import { makeStableCodec } from "./stable.ts";

/** Version v1.2, the stable one. Its contract has no user id; Microsoft's samples send one. */

const version = "v1.2";

const livenessFields = {
  ...sharedFields,
  userCorrelationId: userCorrelationId.nullish(),
  enableSessionImage,
  livenessModelVersion: modelVersion,
};
const verifyFields = {
  ...livenessFields,
  returnVerifyImageHash,
  verifyConfidenceThreshold,
  referenceImageId,
  expectedReferenceImageId,
};

export const createLivenessRequest = z
  .strictObject(livenessFields)
  .superRefine(requireOneDevice)
  .meta(requestMeta(version, "CreateLivenessRequest"));
/** In a form, every field is a part, and `verifyImage` is a file. */
export const createLivenessWithVerifyRequest = z
  .strictObject(verifyFields)
  .superRefine(requireOneDevice)
  .meta(
    requestMeta(version, "CreateLivenessWithVerifyRequest", atMostOne("referenceImageId", "expectedReferenceImageId")),
  );

export const codec = makeStableCodec({
  version,
  requests: { liveness: createLivenessRequest, livenessWithVerify: createLivenessWithVerifyRequest },
  verifyFields,
});
