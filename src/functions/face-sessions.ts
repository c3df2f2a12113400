import { type SessionKind, sessionKinds } from "../face/model.ts";
import { type MediaType, readRequestBody } from "../http/body.ts";
import { defineEndpoint, type Endpoint, noQuery } from "../http/endpoint.ts";
import { readRepeatability } from "../http/repeatability.ts";
import { openSession } from "../liveness/open-session.ts";
import { deleteSession, watchSession } from "../liveness/watch-session.ts";
import { codecFor, type Dialect, previews, sessionParams, stable, versionParams } from "./dialects.ts";

/** How each kind is named in the operations' ids, and what its creation may come as. */
const kinds: Record<SessionKind, { operation: string; accepts: MediaType[] }> = {
  liveness: { operation: "LivenessSession", accepts: ["json"] },
  livenessWithVerify: { operation: "LivenessWithVerifySession", accepts: ["json", "multipart"] },
};

/** Creating, watching and revoking sessions in the words of the Face API. */
export const faceSessionEndpoints: Endpoint[] = [stable, previews].flatMap((dialect) =>
  sessionKinds.flatMap((kind) => [
    createSession(dialect, kind),
    getSessionResult(dialect, kind),
    deleteFaceSession(dialect, kind),
  ]),
);

function createSession(dialect: Dialect, kind: SessionKind): Endpoint {
  const { operation, accepts } = kinds[kind];
  return defineEndpoint({
    name: `create${operation}${dialect.suffix}`,
    summary: `Open a ${kind} session and get the token for the device`,
    methods: ["POST"],
    route: dialect.sessions(kind),
    access: "callers",
    params: versionParams,
    query: noQuery,
    async handle(app, { params, caller, ...request }) {
      const codec = codecFor(dialect, params.apiVersion);
      const repeatability = readRepeatability(request.headers);
      const asked = codec.createRequest.decode(kind, await readRequestBody(request, accepts));
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

function getSessionResult(dialect: Dialect, kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `get${kinds[kind].operation}Result${dialect.suffix}`,
    summary: `Read the state of a ${kind} session and record its outcome`,
    methods: ["GET"],
    route: `${dialect.sessions(kind)}/{sessionId}`,
    access: "callers",
    params: sessionParams,
    query: noQuery,
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      const { state, requestId } = await watchSession(app, caller, kind, params.sessionId, {
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
    name: `delete${kinds[kind].operation}${dialect.suffix}`,
    summary: `Revoke a ${kind} session's token; its outcome is kept`,
    methods: ["DELETE"],
    route: `${dialect.sessions(kind)}/{sessionId}`,
    access: "callers",
    params: sessionParams,
    query: noQuery,
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      await deleteSession(app, caller, kind, params.sessionId);
      return { status: codec.deletedStatus };
    },
  });
}
