import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { AddressNotAllowed, lookupAllowed, type Resolve } from "./addresses.ts";

/** The body of an answer is discarded; after this many bytes the connection is closed. */
const maxAnswerBytes = 4 * 1024;

export interface PostOptions {
  headers: Record<string, string>;
  body: string;
  isAllowed(address: string): boolean;
  resolve: Resolve;
  /** Closes the connection. */
  signal: AbortSignal;
}

export interface Answer {
  status: number;
  retryAfter: string | undefined;
  /** Resolves when the connection is closed: after the body, or its first 4 KB, or the signal. Never rejects. */
  closed: Promise<void>;
}

/**
 * Sends one POST request on a connection of its own, without following redirects. Resolves with the head of the answer;
 * rejects with `AddressNotAllowed`, or the error of the connection. The caller limits the time by the signal.
 */
export function postWebhook(target: string, options: PostOptions): Promise<Answer> {
  const { headers, body, isAllowed, signal } = options;
  const url = new URL(target);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  // A request looks up names only, so an address in the URL is checked here.
  if (isIP(host) !== 0 && !isAllowed(host)) return Promise.reject(new AddressNotAllowed());
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method: "POST",
      headers: { ...headers, "content-length": Buffer.byteLength(body) },
      // No other request uses the connection, and it is not kept alive.
      agent: false,
      lookup: lookupAllowed(options.resolve, isAllowed),
      signal,
    });
    request.on("response", (response) => {
      const { statusCode = 0, headers: answered } = response;
      resolve({ status: statusCode, retryAfter: answered["retry-after"], closed: discard(response) });
    });
    // An answer that switches protocols closes the connection without a response.
    request.on("error", reject).on("close", () => reject(new Error("The connection was closed without an answer.")));
    request.end(body);
  });
}

function discard(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > maxAnswerBytes) response.destroy();
  });
  // An error in the body is ignored: the status has been received.
  response.on("error", () => undefined);
  return new Promise((resolve) => {
    response.on("close", resolve);
  });
}
