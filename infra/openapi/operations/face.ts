import * as z from "zod";
import { type ApiVersion, type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import { codecs } from "../../../src/face/versions/codecs.ts";
import { clientAssetsToken, faceSettings, faceSettingsChange } from "../../../src/face/versions/settings.ts";
import { type Dialect, operationOf, previews, stable } from "../../../src/functions/dialects.ts";
import { keyShape, timeShape } from "../../../src/functions/face-sessions.ts";
import { shapesOf } from "../face-shapes.ts";
import type { BodyShape, OperationShape, Operations } from "../operation.ts";

const serviceHeaders = { "apim-request-id": z.string().optional().describe("Request id of the Face service.") };

const dialects = [stable, previews];

/** The operations of the Face API, in all its versions. */
export const faceOperations: Operations = {
  ...Object.fromEntries(
    [
      ...dialects.flatMap((dialect) => sessionKinds.map((kind) => sessionOperations(dialect, kind))),
      ...dialects.map(imageOperations),
      ...sessionKinds.map(listOperations),
    ].flatMap((each) => Object.entries(each)),
  ),
  getFaceSettings: () => describe("The settings.", faceSettings),
  changeFaceSettings: () => ({
    ...describe("The settings after the change.", faceSettings),
    body: { content: { "application/json": faceSettingsChange } },
  }),
  getClientAssetsAccessToken: () => describe("The credential.", clientAssetsToken),
};

function sessionOperations(dialect: Dialect, kind: SessionKind): Operations {
  return {
    [`create${operationOf[kind]}${dialect.suffix}`]: (version) => ({
      headers: repeatabilityHeaders(),
      body: creationBody(version, kind),
      answers: {
        200: {
          description: "The session, and the token for the device. No other response contains the token.",
          headers: z.object({
            "x-session-expires-on": z.iso.datetime().describe("Expiry of the token."),
            "x-reference-image-id": z.string().optional().describe("Id of the stored verify image."),
            "repeatability-result": z.literal("accepted").optional(),
            ...serviceHeaders,
          }),
          json: shapesOf(version, kind).created,
        },
      },
      errors: {
        400: [
          "InvalidRequestBody",
          "InvalidTokenLifetime",
          "InvalidLivenessOperationMode",
          "InvalidDeviceCorrelationId",
          "InvalidHeader",
          "NotSupportedByUpstreamVersion",
          "DeviceSetInClientDisabled",
          ...(kind === "liveness" ? [] : (["InvalidImage", "InvalidImageSize", "ReferenceImageNotFound"] as const)),
        ],
        403: ["DeviceLockedOut"],
        409: ["CreationInProgress", "SessionAlreadyUsed", "CreationConflict"],
        422: ["IdempotencyKeyReused"],
        503: ["ServerBusy"],
      },
      callsFace: true,
    }),
    [`get${operationOf[kind]}Result${dialect.suffix}`]: (version) => ({
      answers: {
        200: {
          description: "The session, without its token.",
          headers: z.object(serviceHeaders),
          json: shapesOf(version, kind).session,
        },
      },
      errors: { 404: ["SessionNotFound"] },
      callsFace: true,
    }),
    [`delete${operationOf[kind]}${dialect.suffix}`]: (version) => ({
      answers: { [codecs[version].deletedStatus]: { description: "The token is revoked." } },
      errors: { 404: ["SessionNotFound"] },
      callsFace: true,
    }),
  };
}

/** The lists of the previews. */
function listOperations(kind: SessionKind): Operations {
  return {
    [`get${operationOf[kind]}sPreview`]: (version) => ({
      answers: { 200: { description: "A page of sessions.", json: shapesOf(version, kind).list } },
      errors: { 400: ["BadArgument"] },
    }),
    [`get${operationOf[kind]}AuditEntriesPreview`]: (version) => ({
      answers: {
        200: { description: "A page of attempts.", json: shapesOf(version, kind).auditEntries },
      },
      errors: { 400: ["BadArgument"], 404: ["SessionNotFound"] },
      callsFace: true,
    }),
  };
}

function imageOperations(dialect: Dialect): Operations {
  return {
    [`getSessionImage${dialect.suffix}`]: () => ({
      answers: {
        200: {
          description: "The image's bytes.",
          headers: z.object({ "apim-request-id": z.string().optional() }),
          bytes: ["image/*", "application/octet-stream"],
        },
      },
      errors: { 404: ["SessionImageNotFound"] },
      callsFace: true,
    }),
  };
}

function creationBody(version: ApiVersion, kind: SessionKind): BodyShape {
  const { json, multipart } = shapesOf(version, kind).create;
  return { content: { "application/json": json, ...(multipart && { "multipart/form-data": multipart }) } };
}

/** The request headers for the OpenAPI document. */
function repeatabilityHeaders() {
  const key = z.string().regex(keyShape).optional();
  return z.object({
    "Repeatability-Request-ID": key.describe(
      "Equal in all repeats of a request; usually a UUID. The response has the header `Repeatability-Result`.",
    ),
    "Repeatability-First-Sent": z
      .string()
      .regex(timeShape)
      .optional()
      .describe("Time of the first request: an HTTP date, or RFC 3339."),
    "Idempotency-Key": key.describe("Alternative to `Repeatability-Request-ID`; if both are sent, they must be equal."),
  });
}

function describe(description: string, json: z.ZodType): OperationShape {
  const headers = z.object({ "apim-request-id": z.string().optional() });
  return {
    answers: { 200: { description, json, headers } },
    errors: { 400: ["InvalidRequestBody"] },
    callsFace: true,
  };
}
