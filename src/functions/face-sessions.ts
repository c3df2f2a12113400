import * as z from "zod";
import { compact } from "../compact.ts";
import { type ApiVersion, type SessionKind, sessionKinds } from "../face/model.ts";
import { codecs } from "../face/versions/codecs.ts";
import { type MediaType, readRequestBody } from "../http/body.ts";
import { defineEndpoint, type Endpoint, noQuery } from "../http/endpoint.ts";
import type { BodyShape } from "../http/operation.ts";
import { readRepeatability, repeatabilityHeaders } from "../http/repeatability.ts";
import { openSession } from "../liveness/open/open-session.ts";
import { deleteSession, getSession } from "../liveness/result/get-session.ts";
import { codecFor, type Dialect, operationOf, previews, sessionParams, stable, versionParams } from "./dialects.ts";

/** Media types of create requests. */
const mediaTypes: Record<SessionKind, MediaType[]> = {
  liveness: ["json"],
  livenessWithVerify: ["json", "multipart"],
};

/** The session operations of the Face API: create, read and delete. */
export const faceSessionEndpoints: Endpoint[] = [stable, previews].flatMap((dialect) =>
  sessionKinds.flatMap((kind) => [
    createSession(dialect, kind),
    getSessionResult(dialect, kind),
    deleteFaceSession(dialect, kind),
  ]),
);

const serviceHeaders = { "apim-request-id": z.string().optional().describe("Request id of the Face service.") };

function createSession(dialect: Dialect, kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `create${operationOf[kind]}${dialect.suffix}`,
    summary: `Create a ${kind} session and get the token for the device`,
    methods: ["POST"],
    route: dialect.sessions(kind),
    versions: dialect.versions,
    access: "callers",
    params: versionParams,
    query: noQuery,
    describe: (version) => ({
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
          json: codecs[version].shapes(kind).created,
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
    async handle(app, { params, caller, ...request }) {
      const codec = codecFor(dialect, params.apiVersion);
      const repeatability = readRepeatability(request.headers);
      const creation = codec.createRequest.decode(kind, await readRequestBody(request, mediaTypes[kind]));
      const { created, record, requestId } = await openSession(app, {
        ...creation,
        kind,
        apiVersion: codec.version,
        caller,
        ...compact({ idempotencyKey: repeatability?.idempotencyKey }),
      });
      return {
        status: 200,
        json: codec.createResponse.encode(kind, created),
        headers: compact({
          "x-session-expires-on": record.tokenExpiresOn,
          ...repeatability?.headers,
          "x-reference-image-id": record.referenceImageId,
          "apim-request-id": requestId,
        }),
      };
    },
  });
}

function creationBody(version: ApiVersion, kind: SessionKind): BodyShape {
  const { json, multipart } = codecs[version].shapes(kind).create;
  return { content: { "application/json": json, ...(multipart && { "multipart/form-data": multipart }) } };
}

function getSessionResult(dialect: Dialect, kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `get${operationOf[kind]}Result${dialect.suffix}`,
    summary: `Read the state of a ${kind} session and record its outcome`,
    methods: ["GET"],
    route: `${dialect.sessions(kind)}/{sessionId}`,
    versions: dialect.versions,
    access: "callers",
    params: sessionParams,
    query: noQuery,
    describe: (version) => ({
      answers: {
        200: {
          description: "The session, without its token.",
          headers: z.object(serviceHeaders),
          json: codecs[version].shapes(kind).session,
        },
      },
      errors: { 404: ["SessionNotFound"] },
      callsFace: true,
    }),
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      const { state, requestId } = await getSession(app, caller, kind, params.sessionId, {
        withReceivedTimes: codec.auditEntries !== undefined,
      });
      return {
        status: 200,
        json: codec.session.encode(kind, state),
        headers: compact({ "apim-request-id": requestId }),
      };
    },
  });
}

function deleteFaceSession(dialect: Dialect, kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `delete${operationOf[kind]}${dialect.suffix}`,
    summary: `Revoke a ${kind} session's token; its outcome is kept`,
    methods: ["DELETE"],
    route: `${dialect.sessions(kind)}/{sessionId}`,
    versions: dialect.versions,
    access: "callers",
    params: sessionParams,
    query: noQuery,
    describe: (version) => ({
      answers: { [codecs[version].deletedStatus]: { description: "The token is revoked." } },
      errors: { 404: ["SessionNotFound"] },
      callsFace: true,
    }),
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      await deleteSession(app, caller, kind, params.sessionId);
      return { status: codec.deletedStatus };
    },
  });
}
