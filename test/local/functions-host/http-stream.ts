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

/** For so long the real host reads on where a caller is still sending after its answer. */
const drainTimeout = 5000;

export interface Forwarding {
  /** Rejects where the request cannot be handed to the app, or its caller goes away before the answer. Else pending. */
  failed: Promise<never>;
  /** False where the app has not begun to answer within the time. Rejects as `failed` does. */
  answeredWithin(milliseconds: number): Promise<boolean>;
  /** Drops the app's answer, or what is left of it. */
  abort(): void;
}

export interface Forwarder {
  /** Sends the request on to the library's server and its answer back to the caller. `body` replaces what was read. */
  forward(message: IncomingMessage, response: ServerResponse, target: ForwardTarget): Forwarding;
  close(): void;
}

export interface ForwardTarget {
  invocationId: string;
  /** Encoded path with the query as it came. */
  pathAndQuery: string;
  /** The body, where the host has read it beforehand. */
  body?: Buffer;
}

/**
 * The way of HTTP streaming: the app's library runs an HTTP server of its own, and the host is a proxy in front of it.
 * `httpUri` is the address that this server reports.
 */
export function createForwarder(httpUri: string): Forwarder {
  const { port } = new URL(httpUri);
  // Idle connections are closed well before the app's server closes them (the library's: 5 s), or a new request could meet that.
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
            // The app has answered without reading the body to its end.
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
 * Waits for the end of what the caller still sends. A connection that is closed before is reset, and where the caller's
 * system is Windows it loses the answer that is on its way.
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
    // The real host adds it only where a caller has not sent one, so that a caller can choose the value.
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
    // Node's server writes the date itself.
    if (values && !hopByHopHeaders.has(name) && name !== "date") {
      response.setHeader(name, values);
    }
  }
  response.flushHeaders();
}
