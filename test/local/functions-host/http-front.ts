import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { writeAnswer } from "../../../src/http/forwarded-requests.ts";
import { toErrorReply, toHttpAnswer } from "../../../src/http/responses.ts";
import { requireLoopbackName } from "../loopback-names.ts";
import { type Admin, isAdminPath } from "./admin.ts";
import type { CorsSettings } from "./app-loader.ts";
import { applyCors } from "./cors.ts";
import type { HttpFunction } from "./function-list.ts";
import { readBody, toRpcRequest, writeRpcResponse } from "./http-buffered.ts";
import type { Forwarder } from "./http-stream.ts";
import type { Invoker } from "./invocations.ts";
import type { Log } from "./log.ts";
import { decodePath, encodePath } from "./request-path.ts";
import { matchRoute, sortRoutes } from "./routes.ts";
import { createTriggerMetadata, type HttpFacts } from "./trigger-metadata.ts";

/** The real host's limit for all headers of a request. */
const maxHeaderSize = 32 * 1024;
/** The real host's limit for a request body. */
const largestBody = 100 * 1024 * 1024;
/** Larger JSON bodies are not read for trigger metadata. */
const largestBodyReadBeforehand = 1024 * 1024;
/** Time between the return of a function and its answer, in milliseconds. */
const answerGrace = 2000;

export interface HttpFrontOptions {
  functions: readonly HttpFunction[];
  invoker: Invoker;
  admin: Admin;
  cors: CorsSettings | undefined;
  /** Present exactly when the app streams. */
  forwarder: Forwarder | undefined;
  /** Whether the app answers loopback host names only, as `/admin` always does. */
  loopbackNamesOnly: boolean;
  log: Log;
  now: () => Date;
}

/** The HTTP server of the host: finds the function of a request and sends its answer. Not yet listening. */
export function createHttpFront(options: HttpFrontOptions): Server {
  const routes = sortRoutes(options.functions.filter(({ disabled }) => !disabled).map(({ route }) => route));
  const byName = new Map(options.functions.map((target) => [target.registered.name, target]));

  function onRequest(message: IncomingMessage, response: ServerResponse): void {
    const { rawPath, rawQuery } = splitTarget(message.url ?? "/");
    const path = decodePath(rawPath);
    if (path === undefined || !isHost(message.headers.host ?? "")) {
      refuse(message, response, 400);
      return;
    }
    try {
      if (options.loopbackNamesOnly || isAdminPath(path)) requireLoopbackName(message.headers);
    } catch (error) {
      message.resume();
      writeAnswer(response, toHttpAnswer(toErrorReply(error)));
      return;
    }
    const query = new URLSearchParams(rawQuery);
    if (options.cors && applyCors(options.cors, message, response)) {
      return;
    }
    if (options.admin(message, response, path, query)) {
      return;
    }
    const match = matchRoute(routes, message.method ?? "", path);
    const target = match && byName.get(match.route.functionName);
    if (!match || !target) {
      refuse(message, response, 404);
      return;
    }
    if (Number(message.headers["content-length"] ?? 0) > largestBody) {
      refuse(message, response, 413);
      return;
    }
    const facts = { parameters: match.parameters, query, headers: joinHeaders(message) };
    void answer(options, target, message, response, { ...facts, path, rawQuery });
  }

  const server = createServer({ maxHeaderSize }, onRequest);
  // Node answers an unknown `Expect` itself; the real host's web server ignores it.
  server.on("checkExpectation", onRequest);
  return server;
}

interface RequestFacts extends HttpFacts {
  path: string;
  rawQuery: string;
}

async function answer(
  options: HttpFrontOptions,
  target: HttpFunction,
  message: IncomingMessage,
  response: ServerResponse,
  facts: RequestFacts,
): Promise<void> {
  const { log, now, forwarder } = options;
  const { name } = target.registered;
  const startedOn = now().getTime();
  const invocationId = randomUUID();
  try {
    if (forwarder) {
      await answerStreamed({ ...options, forwarder }, target, message, response, facts, invocationId);
    } else {
      await answerBuffered(options, target, message, response, facts, invocationId);
    }
    const duration = now().getTime() - startedOn;
    log("information", name, `${message.method} ${encodePath(facts.path)} ${response.statusCode} in ${duration} ms`);
  } catch (error) {
    if (response.destroyed) {
      log("information", name, `${message.method} ${encodePath(facts.path)}: the caller has gone`);
      return;
    }
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log("error", name, `${message.method} ${encodePath(facts.path)} failed (invocation ${invocationId}): ${reason}`);
    if (response.headersSent) {
      response.destroy();
    } else {
      refuse(message, response, 500);
    }
  }
}

async function answerStreamed(
  options: HttpFrontOptions & { forwarder: Forwarder },
  target: HttpFunction,
  message: IncomingMessage,
  response: ServerResponse,
  facts: RequestFacts,
  invocationId: string,
): Promise<void> {
  const body = mayHoldMetadata(message) ? await readBody(message) : undefined;
  if (response.destroyed) throw new Error("The client has disconnected.");
  const forwarding = options.forwarder.forward(message, response, {
    invocationId,
    pathAndQuery: encodePath(facts.path) + (facts.rawQuery === "" ? "" : `?${facts.rawQuery}`),
    ...(body ? { body } : {}),
  });
  try {
    const invoked = options.invoker.invoke(target.registered, {
      invocationId,
      // The request goes through the library's own server.
      input: { name: target.bindingName, data: { http: {} } },
      triggerMetadata: createTriggerMetadata({ ...facts, ...(body ? { body: body.toString() } : {}) }),
      ...traceParentOf(message),
    });
    await Promise.race([invoked, forwarding.failed]);
    if (!(await forwarding.answeredWithin(answerGrace)) && !response.destroyed) {
      throw new Error("The function returned nothing. With HTTP streaming the real host would never answer.");
    }
  } catch (error) {
    forwarding.abort();
    throw error;
  }
}

async function answerBuffered(
  { invoker }: HttpFrontOptions,
  target: HttpFunction,
  message: IncomingMessage,
  response: ServerResponse,
  facts: RequestFacts,
  invocationId: string,
): Promise<void> {
  const url = `http://${message.headers.host ?? "localhost"}${message.url ?? "/"}`;
  const data = await toRpcRequest(message, facts, url);
  message.resume();
  const { returnValue } = await invoker.invoke(target.registered, {
    invocationId,
    input: { name: target.bindingName, data },
    triggerMetadata: createTriggerMetadata({ ...facts, body: Buffer.from(data.http?.body?.bytes ?? []).toString() }),
    ...traceParentOf(message),
  });
  writeRpcResponse(response, returnValue);
}

/** The real host looks for a JSON object in every body of known length; the stand-in only in JSON bodies. */
function mayHoldMetadata(message: IncomingMessage): boolean {
  const length = Number(message.headers["content-length"] ?? 0);
  return length > 0 && length <= largestBodyReadBeforehand && /json/i.test(message.headers["content-type"] ?? "");
}

/** The real host's web server refuses an invalid `Host`, and the app's library could not make a URL of it. */
function isHost(host: string): boolean {
  return /^(\[[\da-f:.]+\]|[\w.~%!$&'()*+,;=-]+)(:\d+)?$/i.test(host) && URL.canParse(`http://${host}`);
}

function splitTarget(target: string): { rawPath: string; rawQuery: string } {
  // The request line of a proxy has the complete URL.
  const local = target.replace(/^https?:\/\/[^/?]*/i, "");
  const [rawPath = "", ...query] = (local.startsWith("?") ? `/${local}` : local || "/").split("?");
  return { rawPath, rawQuery: query.join("?") };
}

function joinHeaders(message: IncomingMessage): Record<string, string> {
  const headers = new Map<string, { name: string; values: string[] }>();
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    const name = message.rawHeaders[index] ?? "";
    const known = headers.get(name.toLowerCase()) ?? { name, values: [] };
    known.values.push(message.rawHeaders[index + 1] ?? "");
    headers.set(name.toLowerCase(), known);
  }
  return Object.fromEntries([...headers.values()].map(({ name, values }) => [name, values.join(",")]));
}

function traceParentOf(message: IncomingMessage): { traceParent?: string } {
  const { traceparent } = message.headers;
  return typeof traceparent === "string" ? { traceParent: traceparent } : {};
}

/** An empty answer of the host itself. Discards the rest of the request. */
function refuse(message: IncomingMessage, response: ServerResponse, status: number): void {
  message.resume();
  response.writeHead(status, { "content-length": 0 }).end();
}
