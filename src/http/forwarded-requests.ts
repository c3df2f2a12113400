import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ApiError } from "../errors.ts";
import { type HttpAnswer, toErrorReply, toHttpAnswer } from "./responses.ts";

/** Names the invocation of a forwarded request. The host leaves the value where a caller sends this header. */
export const invocationHeader = "x-ms-invocation-id";

/** The host forwards up to 32 KiB of headers, to which it adds its own; Node's default limit is 16 KiB. */
const maxHeaderSize = 64 * 1024;

/** The host lets go of an idle connection after a minute: it must be the first, or it reuses one that is being closed. */
const keepAliveTimeout = 75_000;

const sweepIntervalMs = 1000;
/**
 * After so many sweeps a request is answered whose invocation has not arrived. The host sends the two at the same time.
 * Sweeps are counted and not seconds, so that no request is given up while the event loop is blocked.
 */
const requestSweeps = 10;
/** An invocation waits longer, so that a caller who chose the id of his request gets the answer of that first. */
const invocationSweeps = 12;

/** A request as it arrived, and the response that belongs to it. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

/** The HTTP requests that the host forwards to this process, apart from their invocations, which come over gRPC. */
export interface ForwardedRequests {
  /** Starts to listen on loopback, where the host runs. Resolves with the URL, which ends with a slash. */
  listen(): Promise<string>;
  /**
   * Waits for the request of an invocation and hands it over: from then on nothing is kept of it here.
   *
   * @throws Error where no such request arrives in time.
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
      value.reject(new Error("The request of this invocation has not arrived."));
    }
  }

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        const server = createServer({ maxHeaderSize, keepAliveTimeout }, accept);
        // By default Node answers an unknown `Expect` itself, and the invocation waits in vain.
        server.on("checkExpectation", accept);
        server.once("error", reject);
        server.listen(0, "127.0.0.1", () => {
          setInterval(sweep, everyMs).unref();
          const address = server.address();
          if (typeof address === "object" && address !== null) resolve(`http://127.0.0.1:${address.port}/`);
        });
        // The worker lives as long as its connection to the host.
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

/** Counts a sweep for every entry, and removes and yields those that have waited for more than `limit`. */
function* expire<T>(entries: Map<string, Waiting<T>>, limit: number): Generator<Waiting<T>> {
  for (const [id, entry] of entries) {
    entry.sweeps += 1;
    if (entry.sweeps <= limit) continue;
    entries.delete(id);
    yield entry;
  }
}

function refuse({ response }: Exchange): void {
  const message = `The header ${invocationHeader} names no invocation. It is for the platform: leave it out.`;
  writeAnswer(response, toHttpAnswer(toErrorReply(new ApiError(400, "BadArgument", message))));
}

/** @throws Error where a header holds what no header may; nothing has been written then. */
export function writeAnswer(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  response.writeHead(status, headers).end(body);
}
