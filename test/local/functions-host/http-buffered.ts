import type { IncomingMessage, ServerResponse } from "node:http";
import type { RpcHttpCookie, RpcHttpData, RpcTypedData } from "./core-types.ts";
import { hopByHopHeaders } from "./http-stream.ts";
import type { HttpFacts } from "./trigger-metadata.ts";

/** Reads the rest of a request's body. Rejects where the client disconnects. */
export async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * The request as one message to the worker, without HTTP streaming. As in the real host, a body without
 * `content-length` is not read, so the app gets none.
 */
export async function toRpcRequest(message: IncomingMessage, facts: HttpFacts, url: string): Promise<RpcTypedData> {
  const nullable = (entries: Iterable<[string, string]>) =>
    Object.fromEntries([...entries].map(([name, value]) => [name, { value }]));
  const request: RpcHttpData = {
    method: message.method ?? "GET",
    url,
    nullableHeaders: nullable(Object.entries(facts.headers).map(([name, value]) => [name.toLowerCase(), value])),
    nullableQuery: nullable([...new Set(facts.query.keys())].map((name) => [name, facts.query.getAll(name).join(",")])),
    nullableParams: nullable(Object.entries(facts.parameters)),
  };
  if (Number(message.headers["content-length"] ?? 0) > 0) {
    request.body = { bytes: await readBody(message) };
  }
  return { http: request };
}

/** Writes the function's result. Undefined becomes an empty 204. */
export function writeRpcResponse(response: ServerResponse, returned: RpcTypedData | null | undefined): void {
  const http = returned?.http;
  if (!http) {
    response.writeHead(204).end();
    return;
  }
  response.statusCode = Number(http.statusCode ?? 200);
  const perConnection = (http.headers?.connection ?? "").toLowerCase().split(/\s*,\s*/);
  for (const [name, value] of Object.entries(http.headers ?? {})) {
    if (!hopByHopHeaders.has(name) && !perConnection.includes(name)) {
      response.setHeader(name, value);
    }
  }
  const cookies = (http.cookies ?? []).map(writeCookie);
  if (cookies.length > 0) {
    response.setHeader("set-cookie", cookies);
  }
  response.end(http.body?.bytes ?? http.body?.string ?? undefined);
}

const sameSiteNames: Record<string, string> = { lax: "lax", strict: "strict", explicitNone: "none" };

function writeCookie(cookie: RpcHttpCookie): string {
  const seconds = cookie.expires?.value?.seconds;
  const expires = typeof seconds === "object" ? seconds?.toNumber() : seconds;
  const sameSite = sameSiteNames[cookie.sameSite ?? ""];
  return [
    `${cookie.name ?? ""}=${encodeURIComponent(cookie.value ?? "")}`,
    expires === undefined || expires === null ? "" : `expires=${new Date(expires * 1000).toUTCString()}`,
    cookie.maxAge?.value === undefined || cookie.maxAge.value === null ? "" : `max-age=${cookie.maxAge.value}`,
    cookie.domain?.value ? `domain=${cookie.domain.value}` : "",
    cookie.path?.value ? `path=${cookie.path.value}` : "",
    cookie.secure?.value ? "secure" : "",
    sameSite ? `samesite=${sameSite}` : "",
    cookie.httpOnly?.value ? "httponly" : "",
  ]
    .filter((part) => part !== "")
    .join("; ");
}
