import * as z from "zod";
import { compact } from "../../compact.ts";
import { extraOf, isRecord, omit, writeInt64 } from "../json.ts";
import {
  type ApiVersion,
  type Attempt,
  type AttemptResult,
  type AuditFacts,
  auditEntryId,
  byEntryId,
  type VerifyReference,
} from "../model.ts";
import {
  decodeVerifyReference,
  faceRectangle,
  rectangleOf,
  toTargets,
  verifyOutcome,
  verifyReference,
} from "./shapes.ts";

/** The audit entry of the previews: one request of a device and the service's response. */

const int64 = z.union([z.int(), z.string().regex(/^\d{1,19}$/)]).meta({
  // The documented type. Decoded values may be text, since a JavaScript number cannot hold every int64.
  type: "integer",
  format: "int64",
  description: "The paging key. May exceed the range in which JSON numbers are exact in some languages.",
});

const targetFields = {
  faceRectangle,
  fileName: z.string().nullish(),
  timeOffsetWithinFile: z.number().nullish(),
  imageType: z.string().nullish().describe("Color, Infrared or Depth."),
};

const verifyResult = verifyOutcome.extend({ verifyImage: verifyReference.nullish() });

const bodyFields = {
  livenessDecision: z.string().nullish().describe("realface, spoofface or uncertain."),
  target: z.looseObject(targetFields).nullish(),
  modelVersionUsed: z.string().nullish(),
  verifyResult: verifyResult.nullish(),
  error: z.looseObject({ code: z.string(), message: z.string() }).nullish(),
};
const responseBody = z.looseObject(bodyFields);

const entryFields = {
  id: int64,
  sessionId: z.string().nullish(),
  requestId: z.string().nullish(),
  clientRequestId: z.string().nullish(),
  receivedDateTime: z.string().nullish(),
  request: z.record(z.string(), z.unknown()).nullish().describe("url, method, contentLength, contentType, userAgent."),
  response: z.looseObject({
    body: responseBody.nullish(),
    statusCode: z.int().nullish(),
    latencyInMilliseconds: z.number().nullish(),
  }),
  digest: z.string().nullish().describe("The service's digest of the attempt."),
  sessionImageId: z.string().nullish().describe("v1.2-preview.1 only."),
  verifyImageHash: z.string().nullish().describe("v1.2-preview.1 only: SHA-256 (hex) of the verify image."),
};
export const auditEntry = z.looseObject(entryFields).meta({ id: "AuditEntry_preview" });
type WireEntry = z.output<typeof auditEntry>;
type WireBody = z.output<typeof responseBody>;

/** Facts about the session in an audit entry. */
export interface SessionFacts {
  modelVersion?: string;
  verifyReferences?: VerifyReference[];
}

export function sessionFactsOf(entry: WireEntry): SessionFacts {
  const body = entry.response.body;
  const image = body?.verifyResult?.verifyImage;
  return compact({
    modelVersion: body?.modelVersionUsed,
    verifyReferences: image && [decodeVerifyReference(image)],
  });
}

/** Decodes the entries of one session to attempts, in the order of their ids. */
export function decodeAuditEntries(entries: readonly WireEntry[]): Attempt[] {
  return numberAttempts(entries.map(decodeEntry));
}

/** Sorts attempts by the ids of their audit entries, without duplicates, and numbers them from 1. */
export function numberAttempts(attempts: readonly Attempt[]): Attempt[] {
  const byId = new Map(attempts.map((attempt) => [auditEntryId(attempt), attempt]));
  return [...byId.values()].sort(byEntryId).map((attempt, index) => ({ ...attempt, attemptId: index + 1 }));
}

function decodeEntry(entry: WireEntry): Attempt {
  const { body, statusCode } = entry.response;
  const result = body ? decodeResult(entry, body) : undefined;
  const error = decodeError(body, statusCode);
  return compact({
    attemptId: 1,
    attemptStatus: error ? "Failed" : result ? "Succeeded" : "Running",
    result,
    error,
    audit: decodeFacts(entry, result !== undefined),
  });
}

function decodeResult(entry: WireEntry, body: WireBody): AttemptResult | undefined {
  const { livenessDecision, verifyResult, target } = body;
  if (!livenessDecision && !verifyResult) return undefined;
  return compact({
    livenessDecision,
    targets: target && toTargets(target.faceRectangle),
    digest: entry.digest,
    sessionImageId: entry.sessionImageId,
    verifyResult: verifyResult && {
      matchConfidence: verifyResult.matchConfidence,
      isIdentical: verifyResult.isIdentical,
    },
    verifyImageHash: entry.verifyImageHash,
  });
}

function decodeError(body: WireBody | null | undefined, statusCode: number | null | undefined): Attempt["error"] {
  if (body?.error) {
    const { code, message, ...rest } = body.error;
    return { code, message, ...extraOf(rest, {}) };
  }
  if (!statusCode || statusCode < 400) return undefined;
  return { code: String(statusCode), message: `The service answered the attempt with HTTP status ${statusCode}.` };
}

function decodeFacts(entry: WireEntry, hasResult: boolean): AuditFacts {
  const { id, requestId, clientRequestId, receivedDateTime, request, response } = entry;
  const { digest, sessionImageId, verifyImageHash } = entry;
  const extra = {
    ...extraOf(entry, entryFields).extra,
    ...(!hasResult && compact({ digest, sessionImageId, verifyImageHash })),
  };
  return compact({
    id: String(id),
    requestId,
    clientRequestId,
    receivedDateTime,
    request,
    statusCode: response.statusCode,
    latencyInMilliseconds: response.latencyInMilliseconds,
    body: response.body && unlessEmpty(restOf(response.body)),
    extra: unlessEmpty(extra),
  });
}

/** The fields of a response body that are not part of the model's result or error. */
function restOf(body: WireBody): Record<string, unknown> {
  const verifyRest = omit(body.verifyResult ?? {}, ["matchConfidence", "isIdentical"]);
  return {
    ...omit(body, ["livenessDecision", "error", "verifyResult"]),
    ...(Object.keys(verifyRest).length > 0 && { verifyResult: verifyRest }),
  };
}

function unlessEmpty<T extends object>(fields: T): T | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields;
}

/** A running attempt has no audit entry, since the service has not responded to it. */
export function hasEntry({ audit, result, error }: Attempt): boolean {
  return audit !== undefined || result !== undefined || error !== undefined;
}

/**
 * Encodes an attempt of any version as an audit entry. Fields about the device's request that v1.2 does not send are empty;
 * the status code is derived from the result or error.
 */
export function encodeAuditEntry(
  version: ApiVersion,
  sessionId: string,
  attempt: Attempt,
  session: SessionFacts = {},
): Record<string, unknown> {
  const { result, error, audit } = attempt;
  const { digest = "", sessionImageId, verifyImageHash } = { ...audit?.extra, ...result };
  return {
    ...omit(audit?.extra ?? {}, ["digest", "sessionImageId", "verifyImageHash"]),
    ...compact({
      id: writeInt64(auditEntryId(attempt)),
      sessionId,
      requestId: audit?.requestId ?? "",
      clientRequestId: audit?.clientRequestId ?? "",
      receivedDateTime: audit?.receivedDateTime,
      request: audit?.request ?? { url: "", method: "", contentType: "" },
      response: {
        body: encodeBody(attempt, session),
        statusCode: audit?.statusCode ?? (error ? 400 : 200),
        latencyInMilliseconds: audit?.latencyInMilliseconds ?? 0,
      },
      digest,
      ...(version !== "v1.1-preview.1" && { sessionImageId, verifyImageHash }),
    }),
  };
}

function encodeBody({ result, error, audit }: Attempt, session: SessionFacts): Record<string, unknown> {
  const { verifyResult: verifyRest, ...rest } = audit?.body ?? {};
  const rectangle = rectangleOf(result?.targets);
  const target = rectangle && { faceRectangle: rectangle, fileName: "", timeOffsetWithinFile: 0, imageType: "Color" };
  const modelVersionUsed = result && !audit?.body ? session.modelVersion : undefined;
  return {
    ...result?.extra,
    ...compact({ target, modelVersionUsed }),
    ...rest,
    ...(result && compact({ livenessDecision: result.livenessDecision })),
    ...(result?.verifyResult && {
      verifyResult: {
        ...(isRecord(verifyRest) ? verifyRest : encodeVerifyImage(session)),
        matchConfidence: result.verifyResult.matchConfidence,
        isIdentical: result.verifyResult.isIdentical,
      },
    }),
    ...(error && { error: { ...error.extra, code: error.code, message: error.message } }),
  };
}

function encodeVerifyImage({ verifyReferences: [reference] = [] }: SessionFacts): object {
  if (reference === undefined) return {};
  const { faceRectangle, qualityForRecognition } = reference;
  return { verifyImage: { faceRectangle, qualityForRecognition } };
}
