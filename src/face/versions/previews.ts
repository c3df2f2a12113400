import * as z from "zod";
import { invalidMediaType } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { ErrorDetail } from "../../errors.ts";
import type { Codec, CreateRequest, RequestBody, RequestFields } from "../codec.ts";
import { extraOf, isRecord } from "../json.ts";
import {
  type ApiVersion,
  type Attempt,
  byEntryId,
  type SessionKind,
  type SessionListItem,
  type SessionRequest,
  type SessionState,
  type SessionStatus,
  type VerifyImage,
  type VerifyReference,
} from "../model.ts";
import { auditEntry, decodeAuditEntries, encodeAuditEntry, hasEntry, sessionFactsOf } from "./audit-entries.ts";
import { type Form, invalidParameters, parametersName, readFields, readForm, writeImage } from "./multipart.ts";
import { fieldsFor, invalidField, parseRequest, toCreateRequest } from "./request-fields.ts";
import { decodeVerifyReference, segment, verifyReference } from "./shapes.ts";

/** The codec of both previews: sessions that contain their latest audit entry, lists of sessions and of audit entries. */

const verifyImage = verifyReference.nullish();
const createdFields = {
  sessionId: z.string().min(1),
  authToken: z.string().min(1).describe("For the device only."),
  verifyImage,
};
export const createdSession = z.looseObject(createdFields).meta({ id: "CreatedSession_preview" });

const listItemFields = {
  id: z.string().min(1),
  createdDateTime: z.string(),
  sessionStartDateTime: z.string().nullish(),
  sessionExpired: z.boolean(),
  deviceCorrelationId: z.string().nullish(),
  authTokenTimeToLiveInSeconds: z.int(),
};
/** Drops unknown fields, for which the model has no property. */
const listItem = z.object(listItemFields);
export const sessionList = z.array(z.looseObject(listItemFields).meta({ id: "SessionListItem_preview" }));

const sessionFields = {
  ...listItemFields,
  authTokenTimeToLiveInSeconds: z.int().nullish(),
  status: z.string().describe("NotStarted, Started or ResultAvailable."),
  result: auditEntry.nullish().describe("The latest audit entry."),
  /** Not in the OpenAPI document. Listed so that a token, if a service sends one, is treated as a secret. */
  authToken: z.string().nullish(),
};
export const session = z.looseObject(sessionFields);

export const auditEntryList = z.array(auditEntry);

const routes = {
  liveness: "/detectLiveness/singleModal/sessions",
  livenessWithVerify: "/detectLivenessWithVerify/singleModal/sessions",
} as const satisfies Record<SessionKind, string>;

/** @param requests create requests, strict. */
export function makePreviewCodec(version: ApiVersion, requests: Record<SessionKind, z.ZodType<RequestFields>>): Codec {
  const hasSessionImages = version !== "v1.1-preview.1";
  return {
    version,
    paths: {
      sessions: (kind) => routes[kind],
      session: (kind, sessionId) => `${routes[kind]}/${segment(sessionId)}`,
      audit: (kind, sessionId) => `${routes[kind]}/${segment(sessionId)}/audit`,
      ...(hasSessionImages && { sessionImage: (id: string) => `/session/sessionImages/${segment(id)}` }),
    },
    deletedStatus: 200,
    createRequest: {
      decode: (kind, body) => decodePreviewRequest(version, requests[kind], kind, body),
      encode: (kind, request, image) => encodePreviewRequest(version, kind, request, image),
    },
    createResponse: {
      decode(_kind, body) {
        const { sessionId, authToken, verifyImage, ...rest } = createdSession.parse(body);
        const verifyReferences = verifyImage ? [decodeVerifyReference(verifyImage)] : [];
        return { sessionId, authToken, verifyReferences, ...extraOf(rest, {}) };
      },
      encode(_kind, { sessionId, authToken, verifyReferences, extra }) {
        return { ...extra, sessionId, authToken, ...encodeVerifyImage(verifyReferences) };
      },
    },
    session: { decode: decodeSession, encode: (_kind, state) => encodeSession(version, state) },
    auditEntries: {
      decode: (body) => decodeAuditEntries(auditEntryList.parse(body)),
      encode: (sessionId, attempts, facts) =>
        inOrder(attempts).map((attempt) => encodeAuditEntry(version, sessionId, attempt, facts)),
    },
    hasSettings: false,
    list: {
      decode: (body) => sessionList.parse(body).map(decodeListItem),
      encode: (items) => items.map(encodeListItem),
    },
  };
}

function decodeSession(_kind: SessionKind, body: unknown): SessionState {
  const wire = session.parse(body);
  const attempts = wire.result ? decodeAuditEntries([wire.result]) : [];
  return compact({
    sessionId: wire.id,
    status: decodeStatus(wire.status, attempts),
    attempts,
    createdDateTime: wire.createdDateTime,
    sessionStartDateTime: wire.sessionStartDateTime,
    sessionExpired: wire.sessionExpired,
    deviceCorrelationId: wire.deviceCorrelationId,
    authTokenTimeToLiveInSeconds: wire.authTokenTimeToLiveInSeconds,
    authToken: wire.authToken,
    ...(wire.result && sessionFactsOf(wire.result)),
    ...extraOf(wire, sessionFields),
  });
}

/** The previews' status does not distinguish success and failure; the latest attempt does. */
function decodeStatus(status: string, attempts: readonly Attempt[]): SessionStatus {
  if (status === "Started") return "Running";
  if (status !== "ResultAvailable") return status;
  return attempts.at(-1)?.attemptStatus === "Failed" ? "Failed" : "Succeeded";
}

function encodeSession(version: ApiVersion, state: SessionState): unknown {
  // Unknown fields of v1.2's `results` have no place in the previews.
  const { results: _, ...extra } = state.extra ?? {};
  const latest = inOrder(state.attempts).at(-1);
  const { sessionStartDateTime, deviceCorrelationId, authTokenTimeToLiveInSeconds, createdDateTime } = state;
  const status = encodeStatus(state.status, latest);
  return {
    ...extra,
    ...compact({
      id: state.sessionId,
      createdDateTime,
      sessionStartDateTime,
      sessionExpired: state.sessionExpired ?? false,
      deviceCorrelationId,
      authTokenTimeToLiveInSeconds,
      status,
      result: status === "ResultAvailable" && latest ? encodeAuditEntry(version, state.sessionId, latest, state) : null,
    }),
  };
}

/** The previews have three statuses. A result is available after the first attempt, even if another attempt follows. */
function encodeStatus(status: SessionStatus, latest: Attempt | undefined): string {
  if (latest !== undefined) return "ResultAvailable";
  return status === "NotStarted" || status === "Canceled" ? "NotStarted" : "Started";
}

/** The attempts that have an audit entry, ascending. */
function inOrder(attempts: readonly Attempt[]): Attempt[] {
  return attempts.filter(hasEntry).sort(byEntryId);
}

function encodeVerifyImage([reference]: readonly VerifyReference[]): object {
  if (reference === undefined) return {};
  const { faceRectangle, qualityForRecognition, extra } = reference;
  return { verifyImage: { ...extra, faceRectangle, qualityForRecognition } };
}

function decodeListItem(wire: z.output<typeof sessionList>[number]): SessionListItem {
  const { id, ...item } = listItem.parse(wire);
  return compact({ sessionId: id, ...item });
}

function encodeListItem({ sessionId, ...item }: SessionListItem): unknown {
  return { id: sessionId, ...item };
}

/** Create requests of the previews: JSON, or a form with the same JSON in one part and the image in another. */

const imageName = "VerifyImage";
/** The app's additional fields, which may also be parts of their own. */
const additionNames = ["referenceImageId", "expectedReferenceImageId", "clientReferenceId"];

/** Throws `ApiError` 400 with the codes and messages of the service, 415 for a form of kind `liveness`. */
function decodePreviewRequest(
  version: ApiVersion,
  schema: z.ZodType<RequestFields>,
  kind: SessionKind,
  body: RequestBody,
): CreateRequest {
  if (body.type === "json") {
    const problems = isRecord(body.value) ? expectationProblems(body.value) : [];
    return toCreateRequest(version, parseRequest(version, schema, body.value, problems));
  }
  if (kind === "liveness") throw invalidMediaType();
  const form = readForm(body.parts, [parametersName, ...additionNames], imageName);
  const { value, problems } = readParameters(form);
  return toCreateRequest(version, parseRequest(version, schema, value, problems), form.image);
}

/** The fields of a form: those in `Parameters` and the additional fields that are parts of their own. */
function readParameters(form: Form): { value: unknown; problems: ErrorDetail[] } {
  if (!form.texts.has(parametersName)) throw invalidParameters();
  const { fields, problems } = readFields(form);
  const hasImage = form.names.has(imageName);
  return {
    value: fields,
    problems: [
      ...form.problems,
      ...problems,
      ...imageProblems(hasImage, Object.hasOwn(fields, "referenceImageId")),
      ...expectationProblems(hasImage ? { ...fields, referenceImageId: true } : fields),
    ],
  };
}

/** A form must contain an image or the id of one: creations whose image the device submits are sent as JSON. */
function imageProblems(hasImage: boolean, hasReference: boolean): ErrorDetail[] {
  if (hasImage !== hasReference) return [];
  const message = hasImage
    ? "Must not be combined with referenceImageId."
    : "Required in multipart/form-data unless referenceImageId is set.";
  return [invalidField(imageName, message)];
}

/** `expectedReferenceImageId` is for sessions that are created without an image. */
function expectationProblems(value: Record<string, unknown>): ErrorDetail[] {
  const isBoth = Object.hasOwn(value, "expectedReferenceImageId") && Object.hasOwn(value, "referenceImageId");
  return isBoth ? [invalidField("expectedReferenceImageId", "Only for sessions whose image the device submits.")] : [];
}

/** Throws `ApiError` 400 for fields that the version does not support. */
function encodePreviewRequest(
  version: ApiVersion,
  kind: SessionKind,
  request: SessionRequest,
  image: VerifyImage | undefined,
): RequestBody {
  const value = fieldsFor(version, kind, request, image !== undefined);
  if (image === undefined) return { type: "json", value };
  const parameters = { name: parametersName, contentType: "application/json", content: JSON.stringify(value) };
  return { type: "multipart", parts: [parameters, writeImage(imageName, image)] };
}
