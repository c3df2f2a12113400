import type { ReadableStream } from "node:stream/web";
import { unsupportedContentEncoding } from "../api-errors.ts";
import { ApiError } from "../errors.ts";

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

/** Every chunk has a fixed cost. This number may be tiny, as in a short body on a slow connection. */
const freeChunks = 1024;
/** Required mean length of all further chunks. */
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
  // The server discards a body that has not been read from.
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
