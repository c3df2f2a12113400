import type * as z from "zod";
import type { Codec } from "../codec.ts";
import type { ApiVersion, SessionKind } from "../model.ts";
import { makePreviewCodec } from "./previews.ts";
import * as fields from "./request-fields.ts";
import { makeStableCodec } from "./stable.ts";

/**
 * The supported versions and the fields of their create requests. The two previews share all other formats, and so do v1.2
 * and v1.3.
 */

const { sharedFields, enableSessionImage, modelVersion, returnVerifyImageHash, verifyConfidenceThreshold } = fields;

const oldestPreview = { ...sharedFields, sendResultsToClient: fields.sendResultsToClient };

/** Adds session images, model versions, the image's hash and the caller's own threshold. */
const preview = { ...oldestPreview, enableSessionImage, livenessSingleModalModel: modelVersion };
const previewWithVerify = { ...preview, returnVerifyImageHash, verifyConfidenceThreshold };

/** The contract of v1.2 has no user id; Microsoft's samples send one. */
const stable = {
  ...sharedFields,
  userCorrelationId: fields.userCorrelationId.nullish(),
  enableSessionImage,
  livenessModelVersion: modelVersion,
};
const stableWithVerify = { ...stable, returnVerifyImageHash, verifyConfidenceThreshold };

/** Adds the id of the user (for abuse monitoring), a limit of attempts and an expected address. */
const newest = {
  ...stable,
  userCorrelationIdSetInClient: fields.userCorrelationIdSetInClient,
  numberOfClientAttemptsAllowed: fields.numberOfClientAttemptsAllowed,
  expectedClientIpAddress: fields.expectedClientIpAddress,
};
const newestWithVerify = { ...newest, returnVerifyImageHash, verifyConfidenceThreshold };

/** The fields of create requests by kind, without the ids of images. */
export const requestFields = {
  "v1.1-preview.1": { liveness: oldestPreview, livenessWithVerify: oldestPreview },
  "v1.2-preview.1": { liveness: preview, livenessWithVerify: previewWithVerify },
  "v1.2": { liveness: stable, livenessWithVerify: stableWithVerify },
  "v1.3-preview.1": { liveness: newest, livenessWithVerify: newestWithVerify },
} satisfies Record<ApiVersion, Record<SessionKind, z.ZodRawShape>>;

/** The codecs of all supported versions. */
export const codecs: Record<ApiVersion, Codec> = {
  "v1.1-preview.1": makePreviewCodec("v1.1-preview.1", fields.requestsOf(requestFields["v1.1-preview.1"])),
  "v1.2-preview.1": makePreviewCodec("v1.2-preview.1", fields.requestsOf(requestFields["v1.2-preview.1"])),
  "v1.2": makeStableCodec("v1.2", fields.requestsOf(requestFields["v1.2"])),
  "v1.3-preview.1": makeStableCodec("v1.3-preview.1", fields.requestsOf(requestFields["v1.3-preview.1"], true)),
};
