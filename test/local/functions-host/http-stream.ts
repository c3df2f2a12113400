import { Agent, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";

/** Headers that belong to one connection, not to the message. */
export const hopByHopHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Time that the real host reads on after its answer while a client is still sending, in milliseconds. */
const drainTimeout = 5000;

export interface Forwarding {
  /** Rejects where the request cannot be forwarded, or the client disconnects before the answer. Otherwise pending. */
  failed: Promise<never>;
  /** False where the app has not started its answer within the time. Rejects with `failed`. */
  answeredWithin(milliseconds: number): Promise<boolean>;
  /** Discards the rest of the app's answer. */
  abort(): void;
}

export interface Forwarder {
  /** Forwards the request to the library's server, and the answer to the client. `body` replaces a body already read. */
  forward(message: IncomingMessage, response: ServerResponse, target: ForwardTarget): Forwarding;
  close(): void;
}

export interface ForwardTarget {
  invocationId: string;
  /** Encoded path with the unchanged query. */
  pathAndQuery: string;
  /** The body, where the host has read it already. */
  body?: Buffer;
}

/**
 * HTTP streaming: the app's library runs an HTTP server of its own, and the host is a proxy in front of it.
 * `httpUri` is the address that this server reports.
 */
export function createForwarder(httpUri: string): Forwarder {
  const { port } = new URL(httpUri);
  // Idle connections close before the app's server closes them (after 5 s); otherwise a new request could be reset.
  const agent = new Agent({ keepAlive: true, timeout: 2000 });
  return {
    close: () => agent.destroy(),
    forward: (message, response, target) => {
      const answered = Promise.withResolvers<true>();
      const failed = Promise.withResolvers<never>();
      failed.promise.catch(() => undefined);
      const upstream = openRequest({
        // The library reports `localhost` and listens on every address.
        host: "127.0.0.1",
        port,
        agent,
        method: message.method,
        path: target.pathAndQuery,
        headers: forwardedHeaders(message, target),
        setHost: false,
      });
      upstream.on("error", (cause) => {
        if (response.headersSent) {
          response.destroy();
        } else {
          failed.reject(new Error("The request could not be handed to the app.", { cause }));
        }
      });
      upstream.on("response", (answer) => {
        answered.resolve(true);
        writeHead(response, answer);
        answer.pipe(response, { end: false });
        answer.on("error", () => response.destroy());
        answer.on("end", async () => {
          if (!upstream.writableEnded) {
            // The app answers without reading the whole body.
            message.unpipe(upstream);
            upstream.destroy();
            message.resume();
            if (!response.shouldKeepAlive) {
              await drained(message);
            }
          }
          response.end();
        });
      });
      response.on("close", () => {
        if (!response.writableFinished) {
          upstream.destroy();
        }
      });
      if (target.body) {
        upstream.end(target.body);
      } else {
        message.pipe(upstream);
        message.on("aborted", () => upstream.destroy());
      }
      return {
        failed: failed.promise,
        answeredWithin: (milliseconds) =>
          Promise.race([answered.promise, failed.promise, delay(milliseconds, false, { ref: false })]),
        abort: () => {
          upstream.destroy();
          message.unpipe(upstream);
          message.resume();
        },
      };
    },
  };
}

/**
 * Waits until the client has sent its request. Closing the connection earlier resets it, and a client on Windows then loses
 * the answer.
 */
async function drained(message: IncomingMessage): Promise<void> {
  await Promise.race([finished(message).catch(() => undefined), delay(drainTimeout, undefined, { ref: false })]);
}

function forwardedHeaders(message: IncomingMessage, target: ForwardTarget): string[] {
  const headers: string[] = [];
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    const name = message.rawHeaders[index] ?? "";
    const value = message.rawHeaders[index + 1] ?? "";
    const isOwnContinue = name.toLowerCase() === "expect" && value.toLowerCase() === "100-continue";
    if (!hopByHopHeaders.has(name.toLowerCase()) && !isOwnContinue) {
      headers.push(name, value);
    }
  }
  const own = {
    // As in the real host, the caller's own value is kept, so a caller can choose it.
    ...(message.headers["x-ms-invocation-id"] === undefined && { "x-ms-invocation-id": target.invocationId }),
    "x-forwarded-for": message.socket.remoteAddress ?? "",
    "x-forwarded-host": message.headers.host ?? "localhost",
    "x-forwarded-proto": "http",
  };
  const others = headers.filter((_, index) => !((headers[index - (index % 2)] ?? "").toLowerCase() in own));
  const isChunked = message.headers["transfer-encoding"] !== undefined;
  return [...others, ...Object.entries(own).flat(), ...(isChunked ? ["transfer-encoding", "chunked"] : [])];
}

function writeHead(response: ServerResponse, answer: IncomingMessage): void {
  response.statusCode = answer.statusCode ?? 500;
  for (const [name, values] of Object.entries(answer.headersDistinct)) {
    // Node's server adds the date.
    if (values && !hopByHopHeaders.has(name) && name !== "date") {
      response.setHeader(name, values);
    }
  }
  response.flushHeaders();
}
