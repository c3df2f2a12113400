import * as z from "zod";
import { invalidMediaType } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { ErrorDetail } from "../../errors.ts";
import { carryOver } from "../carry-over.ts";
import type { BodyPart, Codec, CreateRequest, RequestBody } from "../codec.ts";
import type {
  ApiVersion,
  Attempt,
  AttemptError,
  AttemptResult,
  Extra,
  SessionKind,
  SessionRequest,
  SessionState,
  VerifyImage,
  VerifyReference,
} from "../model.ts";
import { extraOf, isRecord } from "../objects.ts";
import {
  type Form,
  formMeta,
  imageFile,
  readBoolean,
  readForm,
  readNumber,
  writeImage,
  writeNumber,
} from "./multipart.ts";
import {
  deviceCorrelationIdPart,
  enableSessionImage,
  invalidField,
  modelVersion,
  parseRequest,
  referenceImageId,
  requestMeta,
  requireOneDevice,
  returnVerifyImageHash,
  sharedFields,
  verifyConfidenceThreshold,
} from "./request-fields.ts";
import { decodeVerifyReference, segment } from "./shapes.ts";
import {
  type attempt,
  attemptErrorFields,
  attemptFields,
  attemptResultFields,
  createdFields,
  createdSession,
  resultsFields,
  session,
  sessionFields,
  sessionWithoutToken,
} from "./v1.2-shapes.ts";

/** Version v1.2, the stable one: a form with one part for each field, results as attempts, no lists, no audit trail. */

const version: ApiVersion = "v1.2";
const imageName = "verifyImage";

const livenessFields = { ...sharedFields, enableSessionImage, livenessModelVersion: modelVersion };
const verifyFields = { ...livenessFields, returnVerifyImageHash, verifyConfidenceThreshold, referenceImageId };

export const createLivenessRequest = z
  .strictObject(livenessFields)
  .superRefine(requireOneDevice)
  .meta(requestMeta(version, "CreateLivenessRequest"));
/** In a form, every field is a part, and `verifyImage` is a file. JSON requires a `referenceImageId`. */
export const createLivenessWithVerifyRequest = z
  .strictObject(verifyFields)
  .superRefine(requireOneDevice)
  .meta(requestMeta(version, "CreateLivenessWithVerifyRequest", { required: ["referenceImageId"] }));

type WireRequest = z.output<typeof createLivenessWithVerifyRequest>;

const routes = {
  liveness: "/detectLiveness-sessions",
  livenessWithVerify: "/detectLivenessWithVerify-sessions",
} as const satisfies Record<SessionKind, string>;

export const codec: Codec = {
  version,
  paths: {
    sessions: (kind) => routes[kind],
    session: (kind, sessionId) => `${routes[kind]}/${segment(sessionId)}`,
    sessionImage: (sessionImageId) => `/sessionImages/${segment(sessionImageId)}`,
  },
  deletedStatus: 204,
  shapes: (kind) => ({
    create: {
      json: kind === "liveness" ? createLivenessRequest : createLivenessWithVerifyRequest,
      ...(kind === "livenessWithVerify" && { multipart: form() }),
    },
    created: createdSession,
    session: sessionWithoutToken,
  }),
  createRequest: { decode: decodeRequest, encode: encodeRequest },
  createResponse: {
    decode(_kind, body) {
      const wire = createdSession.parse(body);
      return compact({
        sessionId: wire.sessionId,
        authToken: wire.authToken,
        modelVersion: wire.modelVersion,
        verifyReferences: wire.results?.verifyReferences?.map(decodeVerifyReference) ?? [],
        ...extraOf(wire, createdFields),
      });
    },
    encode(kind, created) {
      const { sessionId, authToken, modelVersion, verifyReferences, extra } = created;
      const results = { ...encodeReferences(kind, verifyReferences), attempts: [] };
      return { ...extra, ...compact({ sessionId, authToken, status: "NotStarted", modelVersion, results }) };
    },
  },
  session: { decode: decodeSession, encode: encodeSession },
};

function decodeRequest(kind: SessionKind, body: RequestBody): CreateRequest {
  if (kind === "liveness") {
    if (body.type === "multipart") throw invalidMediaType();
    return toCreateRequest(parseRequest(version, createLivenessRequest, body.value));
  }
  const schema = createLivenessWithVerifyRequest;
  if (body.type === "json") {
    const problems = isRecord(body.value) ? imageProblems(false, Object.hasOwn(body.value, "referenceImageId")) : [];
    return toCreateRequest(parseRequest(version, schema, body.value, problems));
  }
  const form = readForm(body.parts, Object.keys(verifyFields), imageName);
  const problems = imageProblems(form.names.has(imageName), form.names.has("referenceImageId"));
  return toCreateRequest(parseRequest(version, schema, typed(form), [...form.problems, ...problems]), form.image);
}

/** The fields of a form with the types of JSON. */
function typed(form: Form): Record<string, unknown> {
  return Object.fromEntries([...form.texts].map(([name, text]) => [name, readers.get(name)?.(text) ?? text]));
}

const readers = new Map<string, (text: string) => unknown>([
  ["deviceCorrelationIdSetInClient", readBoolean],
  ["enableSessionImage", readBoolean],
  ["returnVerifyImageHash", readBoolean],
  ["authTokenTimeToLiveInSeconds", readNumber],
  ["verifyConfidenceThreshold", readNumber],
]);

function form(): z.ZodType {
  const { id, allOf } = requestMeta(version, "CreateLivenessWithVerifyForm", formMeta(imageName));
  return z
    .strictObject({
      ...verifyFields,
      deviceCorrelationId: deviceCorrelationIdPart,
      [imageName]: imageFile().optional(),
    })
    .meta({ id, allOf });
}

function imageProblems(hasImage: boolean, hasReference: boolean): ErrorDetail[] {
  if (hasImage !== hasReference) return [];
  const message = hasImage
    ? "Must not be combined with referenceImageId."
    : "Required, as a file in multipart/form-data, unless referenceImageId is set.";
  return [invalidField(imageName, message)];
}

function toCreateRequest(fields: WireRequest, image?: VerifyImage): CreateRequest {
  const { livenessModelVersion, referenceImageId, clientReferenceId, ...rest } = fields;
  const modelVersionOf = livenessModelVersion === undefined ? undefined : version;
  const request: SessionRequest = compact({ ...rest, modelVersion: livenessModelVersion, modelVersionOf });
  return compact({ request, image, referenceImageId, clientReferenceId });
}

function encodeRequest(kind: SessionKind, request: SessionRequest, image?: VerifyImage): RequestBody {
  const { livenessOperationMode, deviceCorrelationId, deviceCorrelationIdSetInClient } = request;
  const { authTokenTimeToLiveInSeconds } = request;
  const { modelVersion: livenessModelVersion, ...carried } = carryOver(version, kind, request, image !== undefined);
  const fields = compact({
    livenessOperationMode,
    deviceCorrelationId,
    deviceCorrelationIdSetInClient,
    authTokenTimeToLiveInSeconds,
    livenessModelVersion,
    ...carried,
  });
  if (image === undefined) return { type: "json", value: fields };
  const parts: BodyPart[] = Object.entries(fields).map(([name, value]) => ({
    name,
    content: typeof value === "number" ? writeNumber(value) : String(value),
  }));
  return { type: "multipart", parts: [...parts, writeImage(imageName, image)] };
}

function decodeSession(_kind: SessionKind, body: unknown): SessionState {
  const wire = session.parse(body);
  const { attempts, verifyReferences } = wire.results;
  const { extra: beside } = extraOf(wire, sessionFields);
  const { extra: below } = extraOf(wire.results, resultsFields);
  return compact({
    sessionId: wire.sessionId,
    status: wire.status,
    authToken: wire.authToken,
    modelVersion: wire.modelVersion,
    verifyReferences: verifyReferences?.map(decodeVerifyReference),
    // The service does not guarantee an order.
    attempts: attempts.map(decodeAttempt).sort((a, b) => a.attemptId - b.attemptId),
    extra: beside || below ? { ...beside, ...(below && { results: below }) } : undefined,
  });
}

function decodeAttempt(wire: z.output<typeof attempt>): Attempt {
  return compact({
    attemptId: wire.attemptId,
    attemptStatus: wire.attemptStatus,
    result: wire.result && decodeResult(wire.result),
    error: wire.error && decodeError(wire.error),
    ...extraOf(wire, attemptFields),
  });
}

function decodeResult(wire: NonNullable<z.output<typeof attempt>["result"]>): AttemptResult {
  return compact({
    livenessDecision: wire.livenessDecision,
    targets: wire.targets,
    digest: wire.digest,
    sessionImageId: wire.sessionImageId,
    verifyResult: wire.verifyResult,
    verifyImageHash: wire.verifyImageHash,
    ...extraOf(wire, attemptResultFields),
  });
}

function decodeError({
  code,
  message,
  targets,
  ...rest
}: NonNullable<z.output<typeof attempt>["error"]>): AttemptError {
  return compact({ code, message, targets, ...extraOf(rest, attemptErrorFields) });
}

/** Keeps the order of the attempts. */
function encodeSession(kind: SessionKind, state: SessionState): unknown {
  const { results: below, ...beside } = state.extra ?? {};
  return {
    ...beside,
    ...compact({ sessionId: state.sessionId, status: state.status, modelVersion: state.modelVersion }),
    results: {
      ...(isRecord(below) && below),
      ...encodeReferences(kind, state.verifyReferences ?? []),
      attempts: state.attempts.map(encodeAttempt),
    },
  };
}

/** Facts that only the previews return are left out. */
function encodeAttempt({ attemptId, attemptStatus, result, error, extra }: Attempt): unknown {
  return {
    ...extra,
    attemptId,
    attemptStatus,
    ...(result && { result: spread(result) }),
    ...(error && { error: spread(error) }),
  };
}

function encodeReferences(kind: SessionKind, references: readonly VerifyReference[]): object {
  if (kind === "liveness" && references.length === 0) return {};
  return { verifyReferences: references.map((reference) => ({ referenceType: "Color", ...spread(reference) })) };
}

function spread<T extends { extra?: Extra }>({ extra, ...known }: T): object {
  return { ...extra, ...known };
}
