import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ApiError } from "../errors.ts";
import { type HttpAnswer, toErrorReply, toHttpAnswer } from "./responses.ts";

/** Header with the invocation id of a forwarded request. The host does not overwrite a value that a caller sends. */
export const invocationHeader = "x-ms-invocation-id";

/** The host forwards up to 32 KiB of headers, to which it adds its own; Node's default limit is 16 KiB. */
const maxHeaderSize = 64 * 1024;

/** The host closes idle connections after one minute. A shorter timeout here could close one that the host reuses. */
const keepAliveTimeout = 75_000;

const sweepIntervalMs = 1000;
/**
 * Number of sweeps after which a request without invocation is refused; the host sends both at the same time. Counted in
 * sweeps and not in seconds, so that no request is refused while the event loop is blocked.
 */
const requestSweeps = 10;
/** Greater than `requestSweeps`, so that a request with a forged id is refused before the real invocation fails. */
const invocationSweeps = 12;

/** A received request and its response. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

/** HTTP requests that the host forwards to this process. Their invocations arrive separately, over gRPC. */
export interface ForwardedRequests {
  /** Starts to listen on loopback, where the host runs. Resolves with the URL, with a trailing slash. */
  listen(): Promise<string>;
  /**
   * Waits for the request of an invocation and returns it; the request is not tracked any longer.
   *
   * @throws Error if no such request arrives in time.
   */
  take(invocationId: string): Promise<Exchange>;
}

interface Waiting<T> {
  sweeps: number;
  value: T;
}

/** @param options.everyMs between two sweeps; default one second. */
export function createForwardedRequests({ everyMs = sweepIntervalMs } = {}): ForwardedRequests {
  const arrived = new Map<string, Waiting<Exchange>>();
  const awaited = new Map<string, Waiting<PromiseWithResolvers<Exchange>>>();

  function accept(request: IncomingMessage, response: ServerResponse): void {
    const invocationId = request.headers[invocationHeader];
    const exchange = { request, response };
    if (typeof invocationId !== "string" || arrived.has(invocationId)) {
      refuse(exchange);
      return;
    }
    const invocation = awaited.get(invocationId);
    if (invocation !== undefined) {
      awaited.delete(invocationId);
      invocation.value.resolve(exchange);
      return;
    }
    const entry = { sweeps: 0, value: exchange };
    arrived.set(invocationId, entry);
    response.once("close", () => {
      if (arrived.get(invocationId) === entry) arrived.delete(invocationId);
    });
  }

  function sweep(): void {
    for (const { value } of expire(arrived, requestSweeps)) refuse(value);
    for (const { value } of expire(awaited, invocationSweeps)) {
      value.reject(new Error("The forwarded request of this invocation has not arrived."));
    }
  }

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        const server = createServer({ maxHeaderSize, keepAliveTimeout }, accept);
        // Without this listener Node itself answers an unknown `Expect` with 417, and the invocation never gets its request.
        server.on("checkExpectation", accept);
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => {
          setInterval(sweep, everyMs).unref();
          const address = server.address();
          if (typeof address === "object" && address !== null) resolve(`http://127.0.0.1:${address.port}/`);
        });
        // The server does not keep the process alive: the worker's connection to the host does.
        server.unref();
      }),
    take(invocationId) {
      const entry = arrived.get(invocationId);
      if (entry !== undefined) {
        arrived.delete(invocationId);
        return Promise.resolve(entry.value);
      }
      const waiting = { sweeps: 0, value: Promise.withResolvers<Exchange>() };
      awaited.set(invocationId, waiting);
      return waiting.value.promise;
    },
  };
}

/** Increments the sweep count of every entry; removes and yields the entries above `limit`. */
function* expire<T>(entries: Map<string, Waiting<T>>, limit: number): Generator<Waiting<T>> {
  for (const [id, entry] of entries) {
    entry.sweeps += 1;
    if (entry.sweeps <= limit) continue;
    entries.delete(id);
    yield entry;
  }
}

function refuse({ response }: Exchange): void {
  const message = `The header ${invocationHeader} does not match an invocation. It is reserved for the platform.`;
  writeAnswer(response, toHttpAnswer(toErrorReply(new ApiError(400, "BadArgument", message))));
}

/** @throws Error for an invalid header, before the first byte is written. */
export function writeAnswer(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.writeHead(status, headers).end(body);
}
