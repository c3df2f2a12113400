import { once } from "node:events";
import { request as openRequest } from "node:http";
import { text } from "node:stream/consumers";

/** A request as it is sent, without `Host`, framing headers and key. */
export interface RawRequest {
  method: "GET" | "POST" | "DELETE";
  path: string;
  headers: readonly (readonly [name: string, value: string])[];
  /** The pieces of the body. With `chunked`, each is one chunk. */
  body?: readonly Buffer[];
  chunked?: boolean;
}

export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Sends a request over a connection of its own, with its headers as they are spelled and no others but the framing ones. */
export async function sendRaw(
  baseUrl: string,
  { method, path, headers, body, chunked }: RawRequest,
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(baseUrl);
  const length = (body ?? []).reduce((sum, piece) => sum + piece.length, 0);
  const framing = chunked ? ["Transfer-Encoding", "chunked"] : ["Content-Length", String(length)];
  const sent = [["Host", host], ["Connection", "close"], ...headers, ...(body === undefined ? [] : [framing])];
  const request = openRequest({ hostname, port, method, path, headers: sent.flat(), agent: false });
  for (const piece of body ?? []) request.write(piece);
  request.end();
  const [response] = await once(request, "response");
  const received = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return { status: response.statusCode, headers: new Headers(received), text: await text(response) };
}
