import type { ReadableStream } from "node:stream/web";
import { ApiError } from "../errors.ts";

/** As much of a request as reading its body takes. */
export interface BodySource {
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
}

/** What a body is read into, chunk by chunk. An `ApiError` from either method refuses the body. */
export interface BodySink<T> {
  take(chunk: Uint8Array): void | Promise<void>;
  /** After the last chunk. */
  end(): T | Promise<T>;
}

/** From the start of reading to the last byte, however steadily bytes arrive. */
const bodyTimeoutMs = 30_000;

/** A chunk has a cost however small it is. So many may be small, as in a short body on a bad connection. */
const freeChunks = 1024;
/** Mean length of a body's further chunks. */
const meanChunkBytes = 512;

/** Bounds of what is discarded: far more than a host can have sent by the time that it has the answer. */
const discardLimits = { bytes: 32 * 1024 * 1024, milliseconds: 5000 };

/**
 * Reads a body into a sink. A refusal is thrown at once, and frees the sink. The host stops sending with the answer, but
 * what it has sent by then is read on and discarded: unread, it would block the next request on the connection, which may
 * be another caller's.
 *
 * @param limitInBytes for the whole body; counted while reading, since a chunked body announces no length.
 * @param createSink called at most once, and not where the announced length is over the limit.
 * @param timeoutMs default 30,000.
 * @throws ApiError 413 `RequestBodyTooLarge`; 408 `RequestTimeout`; 400 `InvalidRequestBody` for a body that breaks off, or
 * comes in tiny chunks; whatever the sink throws.
 */
export async function readBody<T>(
  { headers, body }: BodySource,
  limitInBytes: number,
  createSink: () => BodySink<T>,
  timeoutMs = bodyTimeoutMs,
): Promise<T> {
  // The server discards by itself what nothing has begun to read.
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
    if (chunks > freeChunks + length / meanChunkBytes) throw unreadable("The request body comes in too small pieces.");
  }

  async function readAll(): Promise<void> {
    for (;;) {
      const { value } = await reader.read().catch((cause: unknown) => {
        throw unreadable("The request body broke off before its end.", cause);
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
