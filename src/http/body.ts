import { MIMEType } from "node:util";
import { invalidMediaType, invalidRequestBody } from "../api-errors.ts";
import type { RequestBody } from "../face/codec.ts";
import { parseJson } from "../face/json-text.ts";
import { type BodySink, type BodySource, readBody } from "./read-body.ts";

export type { BodySource };

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
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const message = error instanceof RangeError ? error.message : "The body is not JSON in UTF-8.";
    throw invalidRequestBody([{ code: "InvalidJson", message, target: "body" }]);
  }
}
