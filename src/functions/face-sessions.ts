import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import { type SessionKind, sessionKinds } from "../face/model.ts";
import { type MediaType, readRequestBody } from "../http/body.ts";
import { defineEndpoint, type Endpoint } from "../http/endpoint.ts";
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

function createSession(dialect: Dialect, kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `create${operationOf[kind]}${dialect.suffix}`,
    summary: `Create a ${kind} session and get the token for the device`,
    methods: ["POST"],
    route: dialect.sessions(kind),
    versions: dialect.versions,
    access: "callers",
    params: versionParams,
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

function getSessionResult(dialect: Dialect, kind: SessionKind): Endpoint {
  return defineEndpoint({
    name: `get${operationOf[kind]}Result${dialect.suffix}`,
    summary: `Read the state of a ${kind} session and record its outcome`,
    methods: ["GET"],
    route: `${dialect.sessions(kind)}/{sessionId}`,
    versions: dialect.versions,
    access: "callers",
    params: sessionParams,
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
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      await deleteSession(app, caller, kind, params.sessionId);
      return { status: codec.deletedStatus };
    },
  });
}

/** The repeatability headers of a request. */
export interface Repeatability {
  /** Equal in the first request and its repeats. */
  idempotencyKey: string;
  /** Headers to add to the response. */
  headers: Record<string, string>;
}

/** Printable ASCII; usually a UUID. */
export const keyShape = /^[\x21-\x7e]{1,256}$/;

const days = "Mon|Tue|Wed|Thu|Fri|Sat|Sun";
const months = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
const day = "(0?[1-9]|[12]\\d|3[01])";
const clock = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d";
const httpDate = `(${days}), ${day} (${months}) \\d{4} ${clock} GMT`;
const rfc3339 = `\\d{4}-(0[1-9]|1[0-2])-${day}T${clock}(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)`;
/** An HTTP date, or RFC 3339, which some clients write. */
export const timeShape = new RegExp(`^(${httpDate}|${rfc3339})$`);

/**
 * Reads `Repeatability-Request-ID` (with `Repeatability-First-Sent`), or `Idempotency-Key`.
 *
 * @throws ApiError 400 `InvalidHeader` for an invalid key, two different keys, or an invalid time.
 */
function readRepeatability(headers: Headers): Repeatability | undefined {
  const requestId = headers.get("repeatability-request-id");
  const firstSent = headers.get("repeatability-first-sent");
  const key = headers.get("idempotency-key");
  if (firstSent !== null && !timeShape.test(firstSent)) throw invalidHeader("Repeatability-First-Sent");
  if (requestId !== null && !keyShape.test(requestId)) throw invalidHeader("Repeatability-Request-ID");
  if (key !== null && !keyShape.test(key)) throw invalidHeader("Idempotency-Key");
  if (requestId !== null && key !== null && requestId !== key) throw invalidHeader("Idempotency-Key");
  const idempotencyKey = requestId ?? key;
  if (idempotencyKey === null) return undefined;
  return { idempotencyKey, headers: requestId === null ? {} : { "repeatability-result": "accepted" } };
}

function invalidHeader(name: string): ApiError {
  return new ApiError(400, "InvalidHeader", `The header ${name} is not valid.`, {
    details: [{ code: "InvalidHeader", message: "Not valid, or contradicts another header.", target: name }],
  });
}
