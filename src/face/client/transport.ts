import createLibraryClient from "@azure/ai-vision-face";
import type { TokenCredential } from "@azure/identity";
import { compact } from "../../compact.ts";
import { ApiError } from "../../errors.ts";
import { type RetryPolicy, sleep, withTimeout } from "../../retry.ts";
import type { RequestObserver } from "../../telemetry/telemetry.ts";
import type { RequestBody } from "../codec.ts";
import {
  decodeErrorBody,
  faceCredentialsRejected,
  faceResponseInvalid,
  faceTimeout,
  faceUnreachable,
  isCredentialsRejection,
  readThrottling,
} from "../errors.ts";
import type { ApiVersion } from "../model.ts";
import type { FaceCallOptions } from "./face-service.ts";

/** HTTP requests to the Face service. The only file that imports the official client library, which is large. */

export interface TransportOptions {
  /** With or without a trailing slash. Plain http is for an emulator, and works with a key only. */
  endpoint: string;
  credential: { key: string } | TokenCredential;
  /** Timeout of each HTTP request, its response body included. Default 20,000. */
  timeoutMs?: number;
  /** Called for each HTTP request. Default: none. */
  onRequest?: RequestObserver;
}

export interface Call extends FaceCallOptions {
  version: ApiVersion;
  method: "get" | "post" | "patch" | "delete";
  /** Below `{endpoint}/face/{version}`. */
  path: string;
  query?: Record<string, string | number>;
  body?: RequestBody;
  /** Default `application/json`. */
  accept?: string;
}

/** A successful response. */
export interface Answer {
  headers: Record<string, string>;
  bytes: Buffer;
}

const transientStatuses = new Set([408, 429, 500, 502, 503]);
/** An invalid response, a missing token and a refused key do not change within a second. */
const lastingCodes = new Set(["FaceResponseInvalid", "FaceCredentialFailed", "FaceCredentialsRejected"]);

/** Short delays, since a caller waits: a longer `Retry-After` is passed on at once, and the caller decides what to do. */
export const retryPolicy: RetryPolicy = {
  retries: 2,
  firstDelayMs: 200,
  maxDelayMs: 1000,
  random: () => 1,
  sleep,
  isTransient: (error) =>
    error instanceof ApiError && transientStatuses.has(error.status) && !lastingCodes.has(error.code),
  retryAfterOf: (error) => (error instanceof ApiError ? error.retryAfter : undefined),
};

/** Session images are the largest responses: pictures of a few megabytes. */
const maxAnswerBytes = 16 * 1024 * 1024;

/**
 * The returned function sends one HTTP request, without retries, and throws `ApiError` for every response but a success and if
 * there is no response.
 */
export function createTransport({ endpoint, credential, timeoutMs = 20_000, onRequest }: TransportOptions) {
  const base = endpoint.replace(/\/+$/, "");
  const client = createLibraryClient(base, credential, {
    // The version is a part of each path, so that one client serves all versions.
    endpoint: `${base}/face`,
    allowInsecureConnection: base.toLowerCase().startsWith("http:"),
    // The service does not redirect, and its key must not reach another host.
    redirectOptions: { maxRetries: 0 },
  });
  // The policy would repeat creations, and wait for the whole of any `Retry-After`.
  client.pipeline.removePolicy({ name: "defaultRetryPolicy" });
  // The policy logs headers and addresses if an environment variable enables it.
  client.pipeline.removePolicy({ name: "logPolicy" });
  // Responses are small, and reading a compressed response whose connection breaks would never end.
  client.pipeline.removePolicy({ name: "decompressResponsePolicy" });

  return async (call: Call): Promise<Answer> => {
    const { version, method, path, query, body, accept = "application/json", gate } = call;
    const passed = await gate?.();
    const ended = onRequest?.();
    const exchange = async (abortSignal: AbortSignal) => {
      try {
        const response = await client
          .pathUnchecked(`/${version}${path}`)
          [method]({ abortSignal, accept, ...(query && { queryParameters: query }), ...encodeBody(body) })
          .asNodeStream();
        passed?.(readThrottling(Number(response.status), response.headers["retry-after"], Date.now()));
        const bytes = await readStream(response.body, maxAnswerBytes);
        ended?.(Number(response.status), response.headers["apim-request-id"]);
        return accepted(Number(response.status), response.headers, bytes);
      } catch (error) {
        throw toApiError(error);
      }
    };
    return withTimeout(timeoutMs, faceTimeout, exchange, call.signal).finally(() => ended?.());
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
  // A 404 of the gateway or of another server is not about a session: most likely the endpoint is wrong.
  if (status === 404 && error.code === "404") throw faceResponseInvalid(error, headers);
  throw error;
}

/** Reads a stream to its end. Throws `RangeError` and destroys the stream if it yields more than `limitInBytes`. */
export async function readStream(stream: AsyncIterable<unknown> | undefined, limitInBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("The stream yields something else than bytes.");
    length += chunk.byteLength;
    if (length > limitInBytes) throw new RangeError(`The body is larger than ${limitInBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** The answer; undefined if it is a 404. */
export async function unlessAbsent(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Replaces errors of the library, which contain the request with its key and image. */
function toApiError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ApiError) return error;
  if (error instanceof RangeError) return faceResponseInvalid(error);
  if (/Credential|Authentication/.test(error.name)) {
    const message = "The app could not get a token for the Face service.";
    return new ApiError(502, "FaceCredentialFailed", message, { cause: plain(error) });
  }
  const isNetwork = error.name === "RestError" || ("code" in error && typeof error.code === "string");
  return isNetwork ? faceUnreachable(plain(error)) : error;
}

function plain(error: Error): Error {
  return Object.assign(new Error(error.message), "code" in error && { code: error.code });
}
