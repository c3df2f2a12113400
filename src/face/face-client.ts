import createLibraryClient from "@azure/ai-vision-face";
import type { TokenCredential } from "@azure/identity";
import { ApiError } from "../errors.ts";
import { maxAttempts } from "../liveness/decision.ts";
import type { Answered, FaceCallOptions } from "../liveness/ports.ts";
import type { RequestObserver } from "../telemetry/telemetry.ts";
import { numberAttempts } from "./audit-entries.ts";
import { callRepeatedly, endWithin, readStream } from "./calls.ts";
import type { Codec, RequestBody } from "./codec.ts";
import { codecs } from "./codecs.ts";
import {
  decodeErrorBody,
  faceCredentialsRejected,
  faceResponseInvalid,
  faceTimeout,
  faceUnreachable,
  isCredentialsRejection,
} from "./errors.ts";
import { parseJson } from "./int64.ts";
import {
  type ApiVersion,
  type Attempt,
  auditEntryId,
  type CreatedSession,
  type SessionKind,
  type SessionRequest,
  type SessionState,
  type SessionStatus,
  type VerifyImage,
} from "./model.ts";
import { compact } from "./objects.ts";

/** The only file that loads the official library, which is heavy. */

export interface FaceClientOptions {
  /** With or without a trailing slash. Plain http is for an emulator, and takes a key only. */
  endpoint: string;
  apiVersion: ApiVersion;
  credential: { key: string } | TokenCredential;
  /** For each HTTP call, until the end of its answer. Default 20 seconds. */
  timeoutMs?: number;
  /** Audit entries asked for at a time, 1 to 1000. Default 1000. */
  auditPageSize?: number;
  /** Told of each HTTP request and its end. Default: nobody is. */
  onRequest?: RequestObserver;
}

export type CallOptions = FaceCallOptions;

/** The service's calls in one version, each of which can be ended early. Absence is undefined, or false. */
export interface FaceClient {
  readonly version: ApiVersion;
  create(
    kind: SessionKind,
    request: SessionRequest,
    image?: VerifyImage,
    options?: CallOptions,
  ): Promise<Answered<CreatedSession>>;
  get(kind: SessionKind, sessionId: string, options?: CallOptions): Promise<Answered<SessionState> | undefined>;
  revoke(kind: SessionKind, sessionId: string, options?: CallOptions): Promise<boolean>;
  sessionImage(
    sessionImageId: string,
    options?: CallOptions,
  ): Promise<Answered<{ bytes: Uint8Array; contentType: string }> | undefined>;
  probe(options?: CallOptions): Promise<void>;
}

interface Call extends CallOptions {
  method: "get" | "post" | "delete";
  /** Below `{endpoint}/face/{version}`. */
  path: string;
  query?: Record<string, string | number>;
  body?: RequestBody;
  accept?: string;
}

interface Answer {
  headers: Record<string, string>;
  bytes: Buffer;
}

/** Asked for by the probe: no service gives a session the id that is all zeros. */
const impossibleSessionId = "00000000-0000-0000-0000-000000000000";

/** Session images are the largest answers: pictures of a few megabytes. */
const maxAnswerBytes = 16 * 1024 * 1024;

/**
 * The Face service in one version, by the official library.
 *
 * Every method throws what the service answers as `ApiError` with its code, status, message, `Retry-After` and
 * `apim-request-id`; 502 `FaceCredentialsRejected` where it refuses the app itself; 504 `FaceTimeout`, 502
 * `FaceUnreachable`, 502 `FaceResponseInvalid` and 502 `FaceCredentialFailed` where it answers nothing of use. A creation is sent once: a repeat could open a second session. The other calls are
 * repeated twice at most, and never wait longer than a second.
 */
export function createFaceClient(options: FaceClientOptions): FaceClient {
  const { apiVersion, auditPageSize = 1000 } = options;
  const codec = codecs[apiVersion];
  const send = makeSend(options);

  /** Of a session that the service does not know: undefined. */
  const read = (call: Call) => callRepeatedly(() => unlessAbsent(send(call)), call.signal);

  return {
    version: apiVersion,

    async create(kind, request, image, { signal } = {}) {
      const body = codec.createRequest.encode(kind, request, image);
      const answer = await send({ method: "post", path: codec.paths.sessions(kind), body, ...compact({ signal }) });
      return answered(
        answer,
        decodeJson(answer, (json) => codec.createResponse.decode(kind, json)),
      );
    },

    async get(kind, sessionId, options = {}) {
      if (!isPathSegment(sessionId)) return undefined;
      const answer = await read({ method: "get", path: codec.paths.session(kind, sessionId), ...options });
      if (answer === undefined) return undefined;
      const state = decodeJson(answer, (json) => codec.session.decode(kind, json));
      const entries = await readAuditEntries(codec, kind, state, read, { pageSize: auditPageSize, ...options });
      return answered(answer, entries === undefined ? state : withAttempts(state, entries));
    },

    revoke(kind, sessionId, options = {}) {
      if (!isPathSegment(sessionId)) return Promise.resolve(false);
      const call: Call = { method: "delete", path: codec.paths.session(kind, sessionId), ...options };
      return callRepeatedly(
        // A session that is gone when it is asked for again was deleted by the call whose answer got lost.
        async (repeats) => (await unlessAbsent(send(call))) !== undefined || repeats > 0,
        options.signal,
      );
    },

    async sessionImage(sessionImageId, { signal } = {}) {
      if (codec.paths.sessionImage === undefined || !isPathSegment(sessionImageId)) return undefined;
      const path = codec.paths.sessionImage(sessionImageId);
      const answer = await read({ method: "get", path, accept: "application/octet-stream", ...compact({ signal }) });
      if (answer === undefined) return undefined;
      const contentType = answer.headers["content-type"] ?? "application/octet-stream";
      return answered(answer, { bytes: answer.bytes, contentType });
    },

    async probe({ signal } = {}) {
      const path = codec.paths.session("liveness", impossibleSessionId);
      const answer = await unlessAbsent(send({ method: "get", path, ...compact({ signal }) }));
      if (answer !== undefined) throw faceResponseInvalid(new Error("A session that cannot exist was answered."));
    },
  };
}

/** Sends one HTTP call, once. Throws `ApiError` for all but a success. */
function makeSend({ endpoint, apiVersion, credential, timeoutMs = 20_000, onRequest }: FaceClientOptions) {
  const base = endpoint.replace(/\/+$/, "");
  const client = createLibraryClient(base, credential, {
    apiVersion,
    allowInsecureConnection: base.toLowerCase().startsWith("http:"),
    // The service redirects nowhere, and its key is for nobody else.
    redirectOptions: { maxRetries: 0 },
  });
  // The library would repeat creations and sleep for as long as a `Retry-After` says.
  client.pipeline.removePolicy({ name: "defaultRetryPolicy" });
  // It writes headers and addresses to a log that is switched on by the environment.
  client.pipeline.removePolicy({ name: "logPolicy" });
  // Answers are small; and one that breaks off while being unpacked would never end.
  client.pipeline.removePolicy({ name: "decompressResponsePolicy" });

  return async (call: Call): Promise<Answer> => {
    const { method, path, query, body, accept = "application/json", gate } = call;
    const tellGate = await gate?.();
    const ended = onRequest?.();
    return endWithin(timeoutMs, faceTimeout, call.signal, async (abortSignal) => {
      try {
        const response = await client
          .pathUnchecked(path)
          [method]({ abortSignal, accept, ...(query && { queryParameters: query }), ...encodeBody(body) })
          .asNodeStream();
        tellGate?.(Number(response.status), response.headers["retry-after"]);
        const bytes = await readStream(response.body, maxAnswerBytes);
        ended?.(Number(response.status), response.headers["apim-request-id"]);
        return accepted(Number(response.status), response.headers, bytes);
      } catch (error) {
        throw toApiError(error);
      }
    }).finally(() => ended?.());
  };
}

function encodeBody(body: RequestBody | undefined): { body?: unknown; contentType?: string } {
  if (body === undefined) return {};
  if (body.type === "json") return { body: body.value, contentType: "application/json" };
  const parts = body.parts.map(({ name, filename, contentType, content }) =>
    compact({ name, filename, contentType, body: content }),
  );
  return { body: parts, contentType: "multipart/form-data" };
}

function accepted(status: number, headers: Record<string, string>, bytes: Buffer): Answer {
  if (status >= 200 && status < 300) return { headers, bytes };
  if (status < 400 || status > 599) throw faceResponseInvalid(new Error(`Status ${status}.`), headers);
  const error = decodeErrorBody(status, bytes.toString("utf8"), headers);
  if (isCredentialsRejection(error)) throw faceCredentialsRejected(error);
  // A 404 of the gateway, or of some other server, tells nothing about sessions: most likely the endpoint is wrong.
  if (status === 404 && error.code === "404") throw faceResponseInvalid(error, headers);
  throw error;
}

async function unlessAbsent(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** What a call fails with, without the library's errors, which hold the request with its key and image. */
function toApiError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ApiError) return error;
  if (error instanceof RangeError) return faceResponseInvalid(error);
  if (/Credential|Authentication/.test(error.name)) {
    const message = "No token for the Face service could be had.";
    return new ApiError(502, "FaceCredentialFailed", message, { cause: plain(error) });
  }
  const isNetwork = error.name === "RestError" || ("code" in error && typeof error.code === "string");
  return isNetwork ? faceUnreachable(plain(error)) : error;
}

function plain(error: Error): Error {
  return Object.assign(new Error(error.message), "code" in error && { code: error.code });
}

/**
 * All attempts of a session: the previews' own answer has the latest one only, the others stand in the audit trail.
 * Undefined where the answer already has them all.
 */
async function readAuditEntries(
  codec: Codec,
  kind: SessionKind,
  state: SessionState,
  read: (call: Call) => Promise<Answer | undefined>,
  { pageSize, ...options }: CallOptions & { pageSize: number },
): Promise<Attempt[] | undefined> {
  const { paths, auditEntries } = codec;
  if (paths.audit === undefined || auditEntries === undefined || state.status === "NotStarted") return undefined;
  const path = paths.audit(kind, state.sessionId);
  const attempts = [...state.attempts];
  let start: string | undefined;
  for (;;) {
    const query = compact({ start, top: pageSize });
    const answer = await read({ method: "get", path, query, ...options });
    // Deleted in between: what was told before still holds.
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

/** The session with all its attempts, and the status that these give it. */
function withAttempts(state: SessionState, attempts: Attempt[]): SessionState {
  return { ...state, attempts, status: state.status === "Failed" ? statusAfterFailure(state, attempts) : state.status };
}

/** The previews tell of the latest attempt only: there may have been a result before, or the device may try again. */
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
    // The parser's own error quotes the text, and with it a token perhaps.
    throw new SyntaxError("The body is not JSON.");
  }
}

function answered<T>({ headers }: Answer, value: T): Answered<T> {
  const requestId = headers["apim-request-id"];
  return requestId === undefined ? { value } : { value, requestId };
}

/** Dots would change the path instead of standing in it, and nothing ill-formed can be encoded: no such id exists. */
function isPathSegment(id: string): boolean {
  return id !== "" && id !== "." && id !== ".." && id.isWellFormed();
}
