import type * as z from "zod";
import { compact } from "../../compact.ts";
import { withRetry } from "../../retry.ts";
import type { Codec } from "../codec.ts";
import { faceResponseInvalid, type Throttling } from "../errors.ts";
import { parseJson } from "../json.ts";
import {
  type ApiVersion,
  type Attempt,
  apiVersions,
  auditEntryId,
  type CreatedSession,
  maxAttempts,
  type SessionKind,
  type SessionRequest,
  type SessionState,
  type SessionStatus,
  type VerifyImage,
} from "../model.ts";
import { numberAttempts } from "../versions/audit-entries.ts";
import { codecs } from "../versions/codecs.ts";
import {
  type ClientAssetsToken,
  clientAssetsToken,
  clientAssetsTokenPath,
  type FaceSettings,
  type FaceSettingsChange,
  faceSettings,
  settingsPath,
} from "../versions/settings.ts";
import {
  type Answer,
  type Call,
  createTransport,
  retryPolicy,
  type TransportOptions,
  unlessAbsent,
} from "./transport.ts";

/**
 * The Face service. Sessions are created in the configured version, and read and revoked in the version that they were
 * created in, so that the configuration can change while sessions live. Absence is undefined or false, never an error.
 */
export interface FaceService {
  /** The version in which sessions are created. */
  readonly version: ApiVersion;
  create(kind: SessionKind, request: SessionRequest, image?: VerifyImage): Promise<Answered<CreatedSession>>;
  /** The session with all its attempts. Undefined if the service does not know the session (any more). */
  get(session: SessionRef, options?: FaceCallOptions): Promise<Answered<SessionState> | undefined>;
  /** Deletes the session, which revokes its token. False if the service did not know the session. */
  revoke(session: SessionRef, options?: FaceCallOptions): Promise<boolean>;
  sessionImage(sessionImageId: string): Promise<Answered<{ bytes: Uint8Array; contentType: string }> | undefined>;
  /** Absent if the version in which sessions are created has no settings. */
  readonly settings?: SettingsService;
  /** Requests a session that cannot exist. Throws unless the service answers that it does not exist. */
  probe(): Promise<void>;
}

/** Settings of the Face resource, which apply to every app that uses it. */
export interface SettingsService {
  read(): Promise<Answered<FaceSettings>>;
  /** Returns the settings after the change. */
  change(change: FaceSettingsChange): Promise<Answered<FaceSettings>>;
  /** A new credential for downloading the device SDK. */
  clientAssetsToken(): Promise<Answered<ClientAssetsToken>>;
}

/** Identifies a session at the service. */
export interface SessionRef {
  kind: SessionKind;
  sessionId: string;
  /** The version that the session was created in. */
  upstreamVersion: ApiVersion;
}

export interface FaceCallOptions {
  /** Aborts the call, which then throws the signal's reason. */
  signal?: AbortSignal;
  /** Awaited before each HTTP request of the call. Each page of a list and each retry is a request. */
  gate?: CallGate;
}

/**
 * Resolves when a request may be sent, with a callback to be called for its response. Rejects if no further request may be
 * sent.
 */
export type CallGate = () => Promise<(throttling?: Throttling) => void>;

export interface Answered<T> {
  value: T;
  /** The service's `apim-request-id`. */
  requestId?: string;
}

export interface FaceServiceOptions extends TransportOptions {
  /** The version in which sessions are created. */
  apiVersion: ApiVersion;
  /** Audit entries per request, 1 to 1000. Default 1000. */
  auditPageSize?: number;
}

/** The session id of the probe. The service never assigns this id. */
const impossibleSessionId = "00000000-0000-0000-0000-000000000000";

/**
 * Connects to the Face service through the official client library.
 *
 * Every method throws an error of the service as `ApiError` with its code, status, message, `Retry-After` and
 * `apim-request-id`, and 504 `FaceTimeout`, 502 `FaceUnreachable`, 502 `FaceResponseInvalid` or 502
 * `FaceCredentialFailed` without a usable response. A creation is sent once, since a retry could open a second session.
 * Other calls are retried.
 */
export function createFaceService(options: FaceServiceOptions): FaceService {
  const { apiVersion, auditPageSize = 1000 } = options;
  const send = createTransport(options);
  /** Undefined if the resource does not exist. */
  const read = (call: Call) => withRetry(retryPolicy, () => unlessAbsent(send(call)), call.signal);

  async function request<T>(schema: z.ZodType<T>, call: Omit<Call, "version">): Promise<Answered<T>> {
    const answer = await withRetry(retryPolicy, () => send({ version: apiVersion, ...call }));
    return answered(
      answer,
      decodeJson(answer, (json) => schema.parse(json)),
    );
  }

  const settings: SettingsService = {
    read: () => request(faceSettings, { method: "get", path: settingsPath }),
    change: (value) => request(faceSettings, { method: "patch", path: settingsPath, body: { type: "json", value } }),
    clientAssetsToken: () => request(clientAssetsToken, { method: "get", path: clientAssetsTokenPath }),
  };

  return {
    version: apiVersion,
    ...(codecs[apiVersion].hasSettings && { settings }),

    async create(kind, request, image) {
      const { paths, createRequest, createResponse } = codecs[apiVersion];
      const body = createRequest.encode(kind, request, image);
      const answer = await send({ version: apiVersion, method: "post", path: paths.sessions(kind), body });
      return answered(
        answer,
        decodeJson(answer, (json) => createResponse.decode(kind, json)),
      );
    },

    async get({ kind, sessionId, upstreamVersion: version }, options = {}) {
      if (!isPathSegment(sessionId)) return undefined;
      const codec = codecs[version];
      const answer = await read({ version, method: "get", path: codec.paths.session(kind, sessionId), ...options });
      if (answer === undefined) return undefined;
      const state = decodeJson(answer, (json) => codec.session.decode(kind, json));
      const readPage = (path: string, start: string | undefined) =>
        read({ version, method: "get", path, query: compact({ start, top: auditPageSize }), ...options });
      const entries = await readAuditEntries(codec, kind, state, readPage, auditPageSize);
      return answered(answer, entries === undefined ? state : withAttempts(state, entries));
    },

    revoke({ kind, sessionId, upstreamVersion: version }, options = {}) {
      if (!isPathSegment(sessionId)) return Promise.resolve(false);
      const call: Call = {
        version,
        method: "delete",
        path: codecs[version].paths.session(kind, sessionId),
        ...options,
      };
      return withRetry(
        retryPolicy,
        // A session that a retry does not find was deleted by the request whose response was lost.
        async (retries) => (await unlessAbsent(send(call))) !== undefined || retries > 0,
        options.signal,
      );
    },

    async sessionImage(sessionImageId) {
      if (!isPathSegment(sessionImageId)) return undefined;
      // The id does not reveal the version that the session was created in.
      for (const version of new Set([apiVersion, ...apiVersions.toReversed()])) {
        const path = codecs[version].paths.sessionImage?.(sessionImageId);
        if (path === undefined) continue;
        const answer = await read({ version, method: "get", path, accept: "application/octet-stream" });
        if (answer === undefined) continue;
        const contentType = answer.headers["content-type"] ?? "application/octet-stream";
        return answered(answer, { bytes: answer.bytes, contentType });
      }
      return undefined;
    },

    async probe() {
      const path = codecs[apiVersion].paths.session("liveness", impossibleSessionId);
      const answer = await unlessAbsent(send({ version: apiVersion, method: "get", path }));
      if (answer !== undefined)
        throw faceResponseInvalid(new Error("The service answered a session that cannot exist."));
    },
  };
}

/**
 * All attempts of a session: a session of the previews contains the latest attempt only, the audit trail contains all.
 * Undefined if the session itself already contains them all.
 */
async function readAuditEntries(
  { paths, auditEntries }: Codec,
  kind: SessionKind,
  state: SessionState,
  readPage: (path: string, start: string | undefined) => Promise<Answer | undefined>,
  pageSize: number,
): Promise<Attempt[] | undefined> {
  if (paths.audit === undefined || auditEntries === undefined || state.status === "NotStarted") return undefined;
  const path = paths.audit(kind, state.sessionId);
  const attempts = [...state.attempts];
  let start: string | undefined;
  for (;;) {
    const answer = await readPage(path, start);
    // The session was deleted in between; what was read before remains valid.
    if (answer === undefined) break;
    const page = decodeJson(answer, (json) => auditEntries.decode(json));
    attempts.push(...page);
    const last = page.at(-1);
    const next = last && auditEntryId(last);
    if (next === undefined || next === start || page.length < pageSize) break;
    start = next;
  }
  return numberAttempts(attempts);
}

/** The session with all its attempts, and the status that follows from them. */
function withAttempts(state: SessionState, attempts: Attempt[]): SessionState {
  return { ...state, attempts, status: state.status === "Failed" ? statusAfterFailure(state, attempts) : state.status };
}

/** The status of the previews is that of the latest attempt: an earlier one may have a result, or another may follow. */
function statusAfterFailure({ sessionExpired }: SessionState, attempts: readonly Attempt[]): SessionStatus {
  if (attempts.some(({ result }) => result !== undefined)) return "Succeeded";
  return sessionExpired === false && attempts.length < maxAttempts ? "Running" : "Failed";
}

function decodeJson<T>(answer: Answer, decode: (json: unknown) => T): T {
  try {
    return decode(parseBody(answer.bytes));
  } catch (error) {
    throw faceResponseInvalid(error, answer.headers);
  }
}

function parseBody(bytes: Buffer): unknown {
  try {
    return parseJson(bytes.toString("utf8"));
  } catch {
    // The parser's own error quotes the text, which may contain a token.
    throw new SyntaxError("The body is not JSON.");
  }
}

function answered<T>({ headers }: Answer, value: T): Answered<T> {
  const requestId = headers["apim-request-id"];
  return requestId === undefined ? { value } : { value, requestId };
}

/** Dots would change the path, and ill-formed text cannot be encoded: no session has such an id. */
function isPathSegment(id: string): boolean {
  return id !== "" && id !== "." && id !== ".." && id.isWellFormed();
}
