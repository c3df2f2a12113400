import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { accessDenied } from "../../../src/api-errors.ts";
import { ApiError } from "../../../src/errors.ts";
import { codecs } from "../../../src/face/versions/codecs.ts";
import { requireLoopbackName } from "../loopback-names.ts";
import { handleControl } from "./control-routes.ts";
import type { FaceCall } from "./face-operations.ts";
import { type FaceRoute, makeFaceRoutes, matchRoute } from "./face-routes.ts";
import { makeFaultReply } from "./fault-replies.ts";
import { bearerToken, errorReply, headerOf, type Reply, writeReply } from "./http.ts";
import { createState, type EmulatorState } from "./state.ts";

/** The only key that the emulator accepts. No secret: nothing else accepts it. */
export const emulatorKey = "face-emulator-key";

export interface FaceEmulatorOptions {
  /** Default 0: any free port. */
  port?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /** Awaited at every move of the clock, with its offset in milliseconds. */
  onClock?: (offsetMs: number) => Promise<void>;
}

export interface FaceEmulator {
  /** Without a trailing slash. */
  url: string;
  port: number;
  /** Value for `Ocp-Apim-Subscription-Key`. */
  key: string;
  offsetMs(): number;
  /** Closes all connections, also those in use. */
  close(): Promise<void>;
}

/**
 * Starts an emulator of the Face liveness-session API: the routes of every version below `/face`, and below `/emulator`
 * control routes that play the client device, move the clock and inject faults. Rejects where the port is in use.
 */
export async function startFaceEmulator(options: FaceEmulatorOptions = {}): Promise<FaceEmulator> {
  const { port = 0, host = "127.0.0.1" } = options;
  const state = await createState(options.onClock);
  const routes = Object.values(codecs).flatMap(makeFaceRoutes);
  const closing = new AbortController();
  const server = createServer((request, response) => {
    void serve(state, routes, request, response, closing.signal);
  });
  // Clients pool connections. Closing one that is being reused would look like a fault.
  server.keepAliveTimeout = 60_000;
  await listen(server, port, host);
  const address = server.address();
  const boundPort = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${boundPort}`,
    port: boundPort,
    key: emulatorKey,
    offsetMs: state.clock.offsetMs,
    close: () =>
      new Promise((resolve) => {
        closing.abort();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === "EADDRINUSE" ? "it is already in use" : cause.message;
      reject(new Error(`The Face emulator cannot listen on port ${port} of ${host}: ${reason}.`, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

async function serve(
  state: EmulatorState,
  routes: readonly FaceRoute[],
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const requestId = randomUUID();
  response.setHeader("apim-request-id", requestId);
  try {
    const reply = await answer(state, routes, request, requestId, closing);
    if (reply === "reset") request.socket.resetAndDestroy();
    else writeReply(response, reply);
  } catch (error) {
    // The client has disconnected, or the emulator is closing.
    if (closing.aborted || request.socket.destroyed) return;
    writeReply(response, errorReply(error instanceof ApiError ? error : internalServerError(error)));
  }
}

async function answer(
  state: EmulatorState,
  routes: readonly FaceRoute[],
  request: IncomingMessage,
  requestId: string,
  closing: AbortSignal,
): Promise<Reply | "reset"> {
  requireLoopbackName(request.headers);
  const [path = "", query] = (request.url ?? "").split("?", 2);
  const control = handleControl(state, request, path, requestId);
  if (control !== undefined) return control;
  const matched = matchRoute(routes, request.method ?? "", path);
  if (matched === undefined) throw resourceNotFound();
  const { route, id } = matched;
  state.calls[route.operation] += 1;

  const { delayMs, fault } = state.faults.strike(route.operation);
  const struck = fault && (fault.status === undefined ? "reset" : makeFaultReply(fault.status, fault));
  if (delayMs.before > 0) await sleep(delayMs.before, undefined, { signal: closing });
  if (struck !== undefined && !fault?.after) return struck;
  const call = { codec: route.codec, state, request, query: new URLSearchParams(query), id };
  const reply = await carryOut(route, call);
  if (delayMs.after > 0) await sleep(delayMs.after, undefined, { signal: closing });
  return struck ?? reply;
}

/** The answer of the operation itself. An error is an answer too, which a fault can replace. */
async function carryOut(route: FaceRoute, call: FaceCall): Promise<Reply> {
  try {
    authorize(call.state, call.request);
    return await route.handle(call);
  } catch (error) {
    if (error instanceof ApiError) return errorReply(error);
    throw error;
  }
}

/** Accepts the key or any Entra token, but no session's token. */
function authorize({ tokens }: EmulatorState, request: IncomingMessage): void {
  const key = headerOf(request, "ocp-apim-subscription-key");
  if (key === emulatorKey) return;
  const bearer = bearerToken(request);
  if (key === undefined && bearer !== undefined && !tokens.isSessionToken(bearer)) return;
  throw accessDenied();
}

/** The gateway's answer to an unknown path or method. */
function resourceNotFound(): ApiError {
  return new ApiError(404, "404", "Resource not found");
}

/** Contains the cause, so that defects of the emulator show. */
function internalServerError(cause: unknown): ApiError {
  return new ApiError(500, "InternalServerError", `The emulator failed: ${String(cause)}`, { cause });
}
