import * as z from "zod";
import {
  atMostOne,
  enableSessionImage,
  expectedClientIpAddress,
  expectedReferenceImageId,
  modelVersion,
  namesOneUser,
  numberOfClientAttemptsAllowed,
  referenceImageId,
  requestMeta,
  requireOneDevice,
  requireOneUser,
  returnVerifyImageHash,
  sharedFields,
  userCorrelationId,
  userCorrelationIdSetInClient,
  verifyConfidenceThreshold,
} from "./request-fields.ts";
import { makeStableCodec } from "./stable.ts";

/** Version v1.3-preview.1: v1.2 with a user id, a limit of attempts, an expected address and abuse monitoring. */

const version = "v1.3-preview.1";

const livenessFields = {
  ...sharedFields,
  userCorrelationId: userCorrelationId.nullish(),
  userCorrelationIdSetInClient,
  numberOfClientAttemptsAllowed,
  expectedClientIpAddress,
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
  .superRefine(requireOneUser)
  .meta(requestMeta(version, "CreateLivenessRequest", namesOneUser));
/** In a form, every field is a part, and `verifyImage` is a file. */
export const createLivenessWithVerifyRequest = z
  .strictObject(verifyFields)
  .superRefine(requireOneDevice)
  .superRefine(requireOneUser)
  .meta(
    requestMeta(
      version,
      "CreateLivenessWithVerifyRequest",
      namesOneUser,
      atMostOne("referenceImageId", "expectedReferenceImageId"),
    ),
  );

export const codec = makeStableCodec({
  version,
  requests: { liveness: createLivenessRequest, livenessWithVerify: createLivenessWithVerifyRequest },
  verifyFields,
  rules: [namesOneUser],
});
