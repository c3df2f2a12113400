import type { IncomingMessage, ServerResponse } from "node:http";
import { ReadableStream } from "node:stream/web";
import * as z from "zod";
import { ApiError } from "../../../src/errors.ts";
import type { RequestBody } from "../../../src/face/codec.ts";
import { readRequestBody } from "../../../src/http/body.ts";

/** Above the largest image of the service, so that a larger image has its own error. */
const maxBodyBytes = 16 * 1024 * 1024;

/** An answer. Without `json` and `bytes` its body is empty. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  json?: unknown;
  bytes?: Uint8Array;
}

export function writeReply(response: ServerResponse, reply: Reply): void {
  const body = reply.bytes ?? (reply.json === undefined ? undefined : Buffer.from(JSON.stringify(reply.json)));
  response.writeHead(reply.status, {
    ...(reply.bytes === undefined ? {} : { "content-type": "application/octet-stream" }),
    ...(reply.json === undefined ? {} : { "content-type": "application/json; charset=utf-8" }),
    // Every answer but 204 has a content-length, also 0.
    ...(reply.status === 204 ? {} : { "content-length": String(body?.length ?? 0) }),
    ...reply.headers,
  });
  response.end(body);
}

/** The error shape of the service. Its code is in a header as well. */
export function errorReply(error: ApiError): Reply {
  return {
    status: error.status,
    headers: {
      ...error.headers,
      "x-ms-error-code": error.code,
      ...(error.retryAfter === undefined ? {} : { "retry-after": error.retryAfter }),
    },
    json: { error: { code: error.code, message: error.message } },
  };
}

/** Reads a body. One beyond the limit is read to its end, so that the sender gets the error, but not kept. */
export async function readBody(request: IncomingMessage, maxBytes = maxBodyBytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size > maxBytes) throw new ApiError(413, "BadArgument", "Request body is too large.");
  return Buffer.concat(chunks);
}

/** The media type in lower case, without parameters. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** The bearer token of `Authorization`, if any. */
export function bearerToken(request: IncomingMessage): string | undefined {
  return /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
}

/** A header with at most one value. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}

/** Undefined for anything but JSON in UTF-8. */
export function parseJson(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) };
  } catch {
    return undefined;
  }
}

/** Reads the JSON body of a control route. Throws `ApiError` 400 with the reason. */
export async function readJson<Schema extends z.ZodType>(
  request: IncomingMessage,
  schema: Schema,
): Promise<z.output<Schema>> {
  const parsed = parseJson(await readBody(request));
  if (parsed === undefined) throw new ApiError(400, "InvalidRequestBody", "The request body must be JSON.");
  const checked = schema.safeParse(parsed.value);
  if (checked.success) return checked.data;
  throw new ApiError(400, "InvalidRequestBody", z.prettifyError(checked.error));
}

/** Parses a form with the app's parser, which reads what official clients send. Throws `ApiError` 400. */
export function parseMultipart(bytes: Buffer, contentType: string): Promise<RequestBody> {
  const headers = new Headers({ "content-type": contentType });
  return readRequestBody({ headers, body: ReadableStream.from([new Uint8Array(bytes)]) }, ["multipart"]);
}
