import type { HttpMethod, HttpRequestInit, Timer } from "@azure/functions";
import type { App, Composition } from "../../../src/app.ts";
import { readConfig } from "../../../src/config.ts";
import { endpoints } from "../../../src/endpoints.ts";
import { maintainSessions } from "../../../src/functions/maintain-sessions.ts";
import { answeredMethods, type Endpoint, serve } from "../../../src/http/endpoint.ts";
import { createReadiness } from "../../../src/liveness/readiness.ts";
import { type Answer, createInvocation, createRequest, type LogLine, readAnswer } from "./invocation.ts";
import { clientKey, principal } from "./principals.ts";
import type { Process, Stage, World } from "./world.ts";

/** The app on the ports of a process, with settings read from `env`. Default: anonymous callers are allowed. */
export function createApp({ deps }: Process, env: Record<string, string> = { ALLOW_ANONYMOUS: "true" }): App {
  const read = readConfig({
    FACE_ENDPOINT: "http://127.0.0.1:7080",
    AzureWebJobsStorage: "UseDevelopmentStorage=true",
    ...env,
  });
  if ("faults" in read) throw new Error(JSON.stringify(read.faults));
  return { ...deps, config: read.config, readiness: createReadiness(deps) };
}

/** The argument of the timer function. */
export const timer: Timer = {
  ...{ isPastDue: false, schedule: { adjustForDST: false } },
  scheduleStatus: { last: "", next: "", lastUpdated: "" },
};

/** Runs the timer function once. Returns its log lines. */
export async function runTimer(process: Process): Promise<LogLine[]> {
  const { context, lines } = createInvocation("maintainSessions");
  const app = createApp(process, { ALLOW_ANONYMOUS: "true", MAINTENANCE_FACE_CALLS_PER_SECOND: "1000" });
  await maintainSessions({ app })(timer, context);
  return lines;
}

/** Lets each of these times pass, and runs the timer in a new process after it. */
export async function runTimerAfter(stage: Stage, ...times: Parameters<Stage["advance"]>[0][]): Promise<void> {
  for (const time of times) {
    stage.advance(time);
    await runTimer(stage.start());
  }
}

export interface Sent {
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** Sent as a JSON body with its media type. */
  json?: unknown;
  /** Begins with a question mark. */
  query?: string;
}

export interface Received extends Answer {
  lines: LogLine[];
  /** Name of the function that served the request. */
  function: string;
}

/** Calls the app in place of the Functions host: finds the endpoint by method and path and serves the request. */
export async function call(
  composition: Composition,
  method: HttpMethod,
  path: string,
  sent: Sent = {},
): Promise<Received> {
  const url = new URL(`${path}${sent.query ?? ""}`, "http://localhost");
  const { endpoint, params } = route(method, url.pathname);
  const { context, lines } = createInvocation(endpoint.name);
  const body = sent.json === undefined ? sent.body : JSON.stringify(sent.json);
  const init: HttpRequestInit = {
    method,
    url: url.href,
    params,
    headers: { ...(sent.json !== undefined && { "content-type": "application/json" }), ...sent.headers },
    ...(body !== undefined && { body: typeof body === "string" ? { string: body } : { bytes: body } }),
  };
  const { stream, ...response } = await serve(endpoint, composition)(createRequest(init), context);
  const whole = stream === undefined ? response : { ...response, body: Buffer.from(await readStream(stream)) };
  return { ...readAnswer(whole), lines, function: endpoint.name };
}

async function readStream(stream: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of stream) text += piece;
  return text;
}

/** Requests of a client with a key. */
export const service: Sent = { headers: clientKey.headers };

/** Requests of an authenticated user. */
export function user(id: string, ...roles: string[]): Sent {
  return { headers: principal(id, ...roles) };
}

/** Adds to a request. */
export function plus(sent: Sent, { headers, ...more }: Sent): Sent {
  return { ...sent, ...more, headers: { ...sent.headers, ...headers } };
}

/** Calls the app in a new process, which accepts the client's key and authenticated users. Default: the client calls. */
export function send(world: World, method: HttpMethod, path: string, sent: Sent = service): Promise<Received> {
  return call({ app: createApp(world.start(), clientKey.settings) }, method, path, sent);
}

/** The first matching endpoint of the list, which contains the fallbacks last. */
function route(method: HttpMethod, path: string): { endpoint: Endpoint; params: Record<string, string> } {
  for (const endpoint of endpoints) {
    const params = answeredMethods(endpoint).includes(method) ? match(endpoint.route, path) : undefined;
    if (params !== undefined) return { endpoint, params };
  }
  throw new Error(`No function serves ${method} ${path}`);
}

function match(routeOfEndpoint: string, path: string): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  const segments = path.slice(1).split("/");
  const names = routeOfEndpoint.split("/");
  for (const [index, name] of names.entries()) {
    const segment = segments[index] ?? "";
    if (name.startsWith("{*")) return { ...params, rest: segments.slice(index).join("/") };
    if (segment === "") return undefined;
    if (name.startsWith("{")) params[name.slice(1, -1)] = decodeURIComponent(segment);
    else if (name !== segment) return undefined;
  }
  return segments.length === names.length ? params : undefined;
}
