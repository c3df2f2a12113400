import type { ReadableStream } from "node:stream/web";
import { MIMEType } from "node:util";
import { invalidMediaType, invalidRequestBody, unsupportedContentEncoding } from "../api-errors.ts";
import { ApiError } from "../errors.ts";
import type { RequestBody } from "../face/codec.ts";
import { parseCallerJson } from "../face/json.ts";

export type MediaType = "json" | "multipart";

const kilobyte = 1024;
/** Far above the size of any valid request. */
const jsonLimit = 64 * kilobyte;
/** Above the limits of a form's parts, so that a slightly too large image is answered with `InvalidImageSize`. */
const multipartLimit = 8 * kilobyte * kilobyte;

/**
 * Reads and parses a JSON or form body.
 *
 * @param timeoutMs for the whole body. Default 30,000.
 * @throws ApiError 415 for a media type that is not in `accepted` or a compressed body, 413 above a limit, 408 after the
 * timeout, 400 for a body that cannot be parsed.
 */
export async function readRequestBody(
  request: BodySource,
  accepted: readonly MediaType[],
  timeoutMs?: number,
): Promise<RequestBody> {
  const contentType = request.headers.get("content-type") ?? "";
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === undefined || !accepted.includes(mediaType)) throw invalidMediaType();
  if (mediaType === "json") {
    return { type: "json", value: decodeJson(await readBytes(request, jsonLimit, timeoutMs)) };
  }
  // The parser of forms is loaded with the first form: most creations have no image.
  const loading = import("./form-sink.ts");
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) throw (await loading).invalidForm();
  const createSink = () => sinkOf(loading.then(({ createFormSink }) => createFormSink(boundary)));
  return { type: "multipart", parts: await readBody(request, multipartLimit, createSink, timeoutMs) };
}

/** The timeout of the body includes the time until the sink is ready. */
function sinkOf<T>(created: Promise<BodySink<T>>): BodySink<T> {
  return {
    take: async (chunk) => (await created).take(chunk),
    end: async () => (await created).end(),
  };
}

function mediaTypeOf(contentType: string): MediaType | undefined {
  const [essence = "", ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase());
  if (essence === "multipart/form-data") return "multipart";
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  const isUtf8 = charset === undefined || /^"?utf-?8"?$/.test(charset);
  return essence === "application/json" && isUtf8 ? "json" : undefined;
}

/** Undefined if it is missing or invalid: RFC 2046 allows 1 to 70 characters. */
function boundaryOf(contentType: string): string | undefined {
  const boundary = new MIMEType(contentType).params.get("boundary") ?? "";
  return /^[\x20-\x7e]{1,70}$/.test(boundary) ? boundary : undefined;
}

/**
 * Reads the whole body.
 *
 * @param timeoutMs for the whole body. Default 30,000.
 * @throws ApiError 415 for a compressed body; 413 `RequestBodyTooLarge`; 408 `RequestTimeout`; 400 for a body that ends
 * early.
 */
export function readBytes(request: BodySource, limitInBytes: number, timeoutMs?: number): Promise<Uint8Array> {
  return readBody(request, limitInBytes, createBytesSink, timeoutMs);
}

function createBytesSink(): BodySink<Uint8Array> {
  const chunks: Uint8Array[] = [];
  return {
    take: (chunk) => void chunks.push(chunk),
    end: () => Buffer.concat(chunks),
  };
}

function decodeJson(bytes: Uint8Array): unknown {
  try {
    return parseCallerJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const message = error instanceof RangeError ? error.message : "The body is not JSON in UTF-8.";
    throw invalidRequestBody([{ code: "InvalidJson", message, target: "body" }]);
  }
}

/** The parts of a request that are needed to read its body. */
export interface BodySource {
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
}

/** Consumer of a body's chunks. An `ApiError` from either method refuses the body. */
export interface BodySink<T> {
  take(chunk: Uint8Array): void | Promise<void>;
  /** After the last chunk. */
  end(): T | Promise<T>;
}

/** Timeout from the start of reading to the last byte, even if bytes arrive steadily. */
const bodyTimeoutMs = 30_000;

/** Number of chunks that may be of any length. A short body on a slow connection has tiny chunks. */
const freeChunks = 1024;
/** Required mean length of all further chunks, because each chunk has a fixed cost. */
const meanChunkBytes = 512;

/** Limits for discarding: far more than the host can send before it receives the response. */
const discardLimits = { bytes: 32 * 1024 * 1024, milliseconds: 5000 };

/**
 * Reads a body into a sink. A refusal is thrown immediately and frees the sink. The host stops sending when it receives the
 * response; bytes sent before are read and discarded, because unread bytes would block the next request on the connection,
 * possibly of another caller.
 *
 * @param limitInBytes for the whole body; counted while reading, since a chunked body has no `Content-Length`.
 * @param createSink called at most once, and not if `Content-Length` exceeds the limit.
 * @param timeoutMs default 30,000.
 * @throws ApiError 415 `BadArgument` for a compressed body; 413 `RequestBodyTooLarge`; 408 `RequestTimeout`;
 * 400 `InvalidRequestBody` for a body that ends early or arrives in tiny chunks; the errors of the sink.
 */
export async function readBody<T>(
  { headers, body }: BodySource,
  limitInBytes: number,
  createSink: () => BodySink<T>,
  timeoutMs = bodyTimeoutMs,
): Promise<T> {
  // These two refusals read nothing: the server discards an unread body.
  if (!["", "identity"].includes(headers.get("content-encoding")?.toLowerCase() ?? ""))
    throw unsupportedContentEncoding();
  if (Number(headers.get("content-length")) > limitInBytes) throw bodyTooLarge(limitInBytes);
  if (body === null) return createSink().end();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const reader = body.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  let sink: BodySink<T> | undefined = createSink();
  let timer = setTimeout(() => refuse(requestTimeout(timeoutMs)), timeoutMs);
  let length = 0;
  let chunks = 0;

  function refuse(error: unknown): void {
    if (sink === undefined) return;
    sink = undefined;
    reject(error);
    clearTimeout(timer);
    timer = setTimeout(stop, discardLimits.milliseconds).unref();
  }

  function checkLimits(): void {
    if (length > limitInBytes) throw bodyTooLarge(limitInBytes);
    if (chunks > freeChunks + length / meanChunkBytes)
      throw unreadable("The chunks of the request body are too small.");
  }

  async function readAll(): Promise<void> {
    for (;;) {
      const { value } = await reader.read().catch((cause: unknown) => {
        throw unreadable("The request body ended early.", cause);
      });
      if (value === undefined) break;
      length += value.byteLength;
      chunks += 1;
      try {
        if (sink !== undefined) checkLimits();
        await sink?.take(value);
      } catch (error) {
        refuse(error);
      }
      if (sink === undefined && length > discardLimits.bytes) return stop();
    }
    if (sink !== undefined) resolve(await sink.end());
  }

  readAll()
    .catch(refuse)
    .finally(() => clearTimeout(timer));
  return promise;
}

function bodyTooLarge(limitInBytes: number): ApiError {
  return new ApiError(413, "RequestBodyTooLarge", `The request body is larger than ${limitInBytes} bytes.`);
}

function unreadable(message: string, cause?: unknown): ApiError {
  return new ApiError(400, "InvalidRequestBody", message, { cause });
}

function requestTimeout(timeoutMs: number): ApiError {
  const message = `The request body did not arrive in full within ${timeoutMs / 1000} seconds.`;
  return new ApiError(408, "RequestTimeout", message);
}
