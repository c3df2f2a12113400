import * as z from "zod";
import { type ApiVersion, type SessionKind, sessionKinds } from "../face/model.ts";
import { codecs } from "../face/versions/codecs.ts";
import { type MediaType, readRequestBody } from "../http/body.ts";
import { defineEndpoint, type Endpoint, noQuery } from "../http/endpoint.ts";
import type { BodyShape } from "../http/operation.ts";
import { readRepeatability, repeatabilityHeaders } from "../http/repeatability.ts";
import { openSession } from "../liveness/open/open-session.ts";
import { deleteSession, getSession } from "../liveness/result/get-session.ts";
import { codecFor, type Dialect, operationOf, previews, sessionParams, stable, versionParams } from "./dialects.ts";

/** What a creation may come as. */
const accepted: Record<SessionKind, MediaType[]> = {
  liveness: ["json"],
  livenessWithVerify: ["json", "multipart"],
};

/** Creating, watching and revoking sessions in the words of the Face API. */
export const faceSessionEndpoints: Endpoint[] = [stable, previews].flatMap((dialect) =>
  sessionKinds.flatMap((kind) => [
    createSession(dialect, kind),
    getSessionResult(dialect, kind),
    deleteFaceSession(dialect, kind),
  ]),
);

const serviceHeaders = { "apim-request-id": z.string().optional().describe("The Face service's id of the call.") };

function createSession(dialect: Dialect, kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `create${operationOf[kind]}${dialect.suffix}`,
    summary: `Open a ${kind} session and get the token for the device`,
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
          description: "The session, and the token for the device: it is told this once.",
          headers: z.object({
            "x-session-expires-on": z.iso.datetime().describe("End of the token's life."),
            "x-reference-image-id": z.string().optional().describe("Under this id the verify image is kept."),
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
      asksFace: true,
    }),
    async handle(app, { params, caller, ...request }) {
      const codec = codecFor(dialect, params.apiVersion);
      const repeatability = readRepeatability(request.headers);
      const asked = codec.createRequest.decode(kind, await readRequestBody(request, accepted[kind]));
      const { created, record, requestId } = await openSession(app, {
        ...asked,
        kind,
        apiVersion: codec.version,
        caller,
        ...(repeatability !== undefined && { idempotencyKey: repeatability.idempotencyKey }),
      });
      return {
        status: 200,
        json: codec.createResponse.encode(kind, created),
        headers: {
          "x-session-expires-on": record.tokenExpiresOn,
          ...repeatability?.headers,
          ...(record.referenceImageId !== undefined && { "x-reference-image-id": record.referenceImageId }),
          ...(requestId !== undefined && { "apim-request-id": requestId }),
        },
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
      asksFace: true,
    }),
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      const { state, requestId } = await getSession(app, caller, kind, params.sessionId, {
        withReceivedTimes: codec.auditEntries !== undefined,
      });
      return {
        status: 200,
        json: codec.session.encode(kind, state),
        headers: { ...(requestId !== undefined && { "apim-request-id": requestId }) },
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
      asksFace: true,
    }),
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      await deleteSession(app, caller, kind, params.sessionId);
      return { status: codec.deletedStatus };
    },
  });
}
