import type * as z from "zod";
import { invalidMediaType } from "../../api-errors.ts";
import { compact } from "../../compact.ts";
import type { ErrorDetail } from "../../errors.ts";
import type { BodyPart, Codec, CreateRequest, RequestBody, RequestFields } from "../codec.ts";
import { extraOf, isRecord } from "../json.ts";
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
import { parametersName, readFields, readForm, writeImage, writeNumber } from "./multipart.ts";
import { fieldsFor, imageIds, invalidField, parseRequest, toCreateRequest } from "./request-fields.ts";
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
} from "./stable-shapes.ts";

/** The codec of v1.2 and v1.3: a form with one part for each field, results as attempts, no lists, no audit trail. */

const imageName = "verifyImage";

const routes = {
  liveness: "/detectLiveness-sessions",
  livenessWithVerify: "/detectLivenessWithVerify-sessions",
} as const satisfies Record<SessionKind, string>;

/** @param requests create requests, strict; in a form, every field is a part beside the image. */
export function makeStableCodec(
  version: ApiVersion,
  requests: Record<SessionKind, z.ZodType<RequestFields>> & { livenessWithVerify: z.ZodObject },
): Codec {
  const hasAbuseMonitoring = version !== "v1.2";
  const names = Object.keys(requests.livenessWithVerify.shape);

  return {
    version,
    paths: {
      sessions: (kind) => routes[kind],
      session: (kind, sessionId) => `${routes[kind]}/${segment(sessionId)}`,
      sessionImage: (sessionImageId) => `/sessionImages/${segment(sessionImageId)}`,
    },
    deletedStatus: 204,
    createRequest: {
      decode: decodeRequest,
      encode: (kind, request, image) => encodeRequest(version, kind, request, image),
    },
    createResponse: {
      decode(_kind, body) {
        const wire = createdSession.parse(body);
        return compact({
          sessionId: wire.sessionId,
          authToken: wire.authToken,
          modelVersion: wire.modelVersion,
          isAbuseMonitoringEnabled: wire.isAbuseMonitoringEnabled,
          expectedClientIpAddress: wire.expectedClientIpAddress,
          verifyReferences: wire.results?.verifyReferences?.map(decodeVerifyReference) ?? [],
          ...extraOf(wire, createdFields),
        });
      },
      encode(kind, created) {
        const { sessionId, authToken, modelVersion, verifyReferences, extra } = created;
        const results = { ...encodeReferences(kind, verifyReferences), attempts: [] };
        const session = { sessionId, authToken, status: "NotStarted", modelVersion, ...abuseFactsOf(created), results };
        return { ...extra, ...compact(session) };
      },
    },
    session: { decode: decodeSession, encode: encodeSession },
    hasSettings: hasAbuseMonitoring,
  };

  function decodeRequest(kind: SessionKind, body: RequestBody): CreateRequest {
    if (body.type === "json") {
      const problems = isRecord(body.value) ? imageProblems(false, body.value) : [];
      return toCreateRequest(version, parseRequest(version, requests[kind], body.value, problems));
    }
    if (kind === "liveness") throw invalidMediaType();
    // The .NET client and the service's tutorial send the layout of the previews to these versions, too.
    const form = readForm(body.parts, [...names, parametersName], imageName);
    const { fields, problems: duplicates } = readFields(form);
    const problems = [...form.problems, ...duplicates, ...imageProblems(form.names.has(imageName), fields)];
    return toCreateRequest(version, parseRequest(version, requests[kind], fields, problems), form.image);
  }

  /** Attempts are encoded newest first: clients read the first one as the latest. */
  function encodeSession(kind: SessionKind, state: SessionState): unknown {
    const { sessionId, status, modelVersion } = state;
    const { results: below, ...beside } = state.extra ?? {};
    return {
      ...beside,
      ...compact({ sessionId, status, modelVersion, ...abuseFactsOf(state) }),
      results: {
        ...(isRecord(below) && below),
        ...encodeReferences(kind, state.verifyReferences ?? []),
        attempts: state.attempts.toSorted((a, b) => b.attemptId - a.attemptId).map(encodeAttempt),
      },
    };
  }

  /** Facts that only the older previews return are left out. */
  function encodeAttempt({ attemptId, attemptStatus, result, error, extra, ...attempt }: Attempt): unknown {
    const { clientInformation, abuseMonitoringResult } = attempt;
    return {
      ...extra,
      attemptId,
      attemptStatus,
      ...(result && { result: spread(result) }),
      ...(error && { error: spread(error) }),
      ...(hasAbuseMonitoring && compact({ clientInformation, abuseMonitoringResult })),
    };
  }

  function abuseFactsOf({ isAbuseMonitoringEnabled, expectedClientIpAddress }: Partial<SessionState>) {
    return hasAbuseMonitoring ? { isAbuseMonitoringEnabled, expectedClientIpAddress } : {};
  }
}

/** Errors in a request with several sources of the verify image. Without a source, the device submits the image. */
function imageProblems(hasImage: boolean, fields: Record<string, unknown>): ErrorDetail[] {
  const sources = Object.keys(imageIds).filter((name) => Object.hasOwn(fields, name));
  if (hasImage && sources[0] !== undefined)
    return [invalidField(imageName, `Must not be combined with ${sources[0]}.`)];
  if (sources.length < 2) return [];
  return [invalidField("expectedReferenceImageId", "Only for sessions whose image the device submits.")];
}

/** Sessions with verify are created by a form, also if the device submits the image. */
function encodeRequest(
  version: ApiVersion,
  kind: SessionKind,
  request: SessionRequest,
  image?: VerifyImage,
): RequestBody {
  const fields = fieldsFor(version, kind, request, image !== undefined);
  if (kind === "liveness") return { type: "json", value: fields };
  const parts: BodyPart[] = Object.entries(fields).map(([name, value]) => ({
    name,
    content: typeof value === "number" ? writeNumber(value) : String(value),
  }));
  return { type: "multipart", parts: image === undefined ? parts : [...parts, writeImage(imageName, image)] };
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
    isAbuseMonitoringEnabled: wire.isAbuseMonitoringEnabled,
    expectedClientIpAddress: wire.expectedClientIpAddress,
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
    clientInformation: wire.clientInformation,
    abuseMonitoringResult: wire.abuseMonitoringResult,
    ...extraOf(wire, attemptFields),
  });
}

function decodeResult(wire: NonNullable<z.output<typeof attempt>["result"]>): AttemptResult {
  const { livenessDecision, targets, digest, sessionImageId, verifyResult, verifyImageHash } = wire;
  const known = { livenessDecision, targets, digest, sessionImageId, verifyResult, verifyImageHash };
  return compact({ ...known, ...extraOf(wire, attemptResultFields) });
}

function decodeError(wire: NonNullable<z.output<typeof attempt>["error"]>): AttemptError {
  const { code, message, targets } = wire;
  return compact({ code, message, targets, ...extraOf(wire, attemptErrorFields) });
}

function encodeReferences(kind: SessionKind, references: readonly VerifyReference[]): object {
  if (kind === "liveness" && references.length === 0) return {};
  return { verifyReferences: references.map((reference) => ({ referenceType: "Color", ...spread(reference) })) };
}

function spread<T extends { extra?: Extra }>({ extra, ...known }: T): object {
  return { ...extra, ...known };
}
