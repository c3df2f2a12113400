import type { ReadableStream } from "node:stream/web";
import { invalidMediaType, invalidRequestBody } from "../api-errors.ts";
import { ApiError } from "../errors.ts";
import type { BodyPart, RequestBody } from "../face/codec.ts";

/** As much of a request as reading its body takes. */
export interface BodySource {
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
}

export type MediaType = "json" | "multipart";

const kilobyte = 1024;
/** Most of a JSON body is names: 64 KB is far more than any request needs. */
const jsonLimit = 64 * kilobyte;
/** A 6 MB image, and the fields and boundaries around it; a somewhat larger image still gets its own error. */
const multipartLimit = 8 * kilobyte * kilobyte;

/**
 * Reads and takes apart a body, whatever its length or encoding.
 *
 * @throws ApiError 415 for another media type, 413 over the limit, 400 for what cannot be parsed.
 */
export async function readRequestBody(request: BodySource, accepted: readonly MediaType[]): Promise<RequestBody> {
  const contentType = request.headers.get("content-type") ?? "";
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === undefined || !accepted.includes(mediaType)) throw invalidMediaType();
  const bytes = await readBytes(request, mediaType === "json" ? jsonLimit : multipartLimit);
  return mediaType === "json"
    ? { type: "json", value: parseJson(bytes) }
    : { type: "multipart", parts: await parseMultipart(bytes, contentType) };
}

function mediaTypeOf(contentType: string): MediaType | undefined {
  const [essence = "", ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase());
  if (essence === "multipart/form-data") return "multipart";
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  const isUtf8 = charset === undefined || /^"?utf-?8"?$/.test(charset);
  return essence === "application/json" && isUtf8 ? "json" : undefined;
}

/** How far an oversized body is read on and thrown away, so that the caller gets an answer and not a reset. */
const drainLimit = 32 * kilobyte * kilobyte;

/**
 * The whole body, counted while it is read, since a chunked one announces no length.
 *
 * @throws ApiError 413 `RequestBodyTooLarge`; 400 where the body breaks off.
 */
export async function readBytes(request: BodySource, limitInBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length")) > limitInBytes) throw bodyTooLarge(limitInBytes);
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.byteLength;
      if (length <= limitInBytes) chunks.push(next.value);
      // Never cancelled: that would destroy the connection on which the answer is to travel.
      else if (length > drainLimit) break;
    }
  } catch (cause) {
    throw new ApiError(400, "InvalidRequestBody", "The request body broke off before its end.", { cause });
  }
  if (length > limitInBytes) throw bodyTooLarge(limitInBytes);
  return Buffer.concat(chunks, length);
}

function bodyTooLarge(limitInBytes: number): ApiError {
  return new ApiError(413, "RequestBodyTooLarge", `The request body is larger than ${limitInBytes} bytes.`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalidRequestBody([{ code: "InvalidJson", message: "The body is not JSON in UTF-8.", target: "body" }]);
  }
}

/** The platform's own parser, on bytes whose number is already bounded. */
async function parseMultipart(bytes: Uint8Array, contentType: string): Promise<BodyPart[]> {
  try {
    const form = await new Response(Buffer.from(bytes), { headers: { "content-type": contentType } }).formData();
    return await Promise.all([...form].map(([name, value]) => toPart(name, value)));
  } catch {
    throw invalidRequestBody([
      {
        code: "InvalidMultipart",
        message: "The body is not multipart/form-data with a name on every part.",
        target: "body",
      },
    ]);
  }
}

async function toPart(name: string, value: string | File): Promise<BodyPart> {
  if (typeof value === "string") return { name, content: value };
  return {
    name,
    filename: value.name,
    content: await value.bytes(),
    ...(value.type !== "" && { contentType: value.type }),
  };
}
