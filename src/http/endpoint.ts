import type { ReadableStream } from "node:stream/web";
import type { HttpMethod, InvocationContext } from "@azure/functions";
import * as z from "zod";
import { badArgument } from "../api-errors.ts";
import type { App, Composition } from "../app.ts";
import type { SettingFault } from "../config.ts";
import { ApiError } from "../errors.ts";
import type { ApiVersion } from "../face/model.ts";
import type { Caller } from "../liveness/model/caller.ts";
import { authenticate } from "./callers.ts";
import { createLog, describeError, type Log } from "./log.ts";
import type { OperationShape } from "./operation.ts";
import { type HttpAnswer, type Reply, toErrorReply, toHttpAnswer } from "./responses.ts";
import type { FunctionRequest } from "./streaming-model.ts";

/** Who may call: everyone, without telling who they are; any caller who is let in; trusted services only. */
export type Access = "everyone" | "callers" | "services";

/** A request on its way through an endpoint: checked, and its caller known. */
export interface EndpointRequest<Params, Query> {
  params: Params;
  query: Query;
  caller: Caller;
  method: string;
  url: URL;
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
  log: Log;
}

/** A route as data: the registration, the fallback routes, the API's description and the tests all read it. */
export interface Endpoint<Params = unknown, Query = unknown> {
  /** The function's name, equal to the operation's id. */
  name: string;
  summary: string;
  methods: HttpMethod[];
  route: string;
  access: Access;
  /** Route parameters; what does not fit is a resource that is not there. */
  params: z.ZodType<Params>;
  query: z.ZodType<Query>;
  /** Versions of the Face API that have the route. Absent: the route is our own. */
  versions?: readonly ApiVersion[];
  /**
   * Bodies, headers and errors of the operation in a version that has the route; own routes ignore the version. Called by
   * the build and by tests only. Absent: not an operation, but a fallback route.
   */
  describe?(version: ApiVersion): OperationShape;
  /** Answered in place of 503 while the settings are wrong. */
  unconfigured?: Reply;
  handle(app: App, request: EndpointRequest<Params, Query>): Promise<Reply>;
}

/** Infers the types of parameters and query from their schemas. */
export function defineEndpoint<Params, Query>(endpoint: Endpoint<Params, Query>): Endpoint {
  return endpoint;
}

/** The methods that a route answers: `HEAD` wherever it answers `GET`. */
export function answeredMethods({ methods }: Pick<Endpoint, "methods">): HttpMethod[] {
  return methods.flatMap((method) => (method === "GET" && !methods.includes("HEAD") ? ["GET", "HEAD"] : [method]));
}

export const noParams = z.object({});
export const noQuery = z.object({});

/** The caller of a route that asks nobody who they are. */
const nobody: Caller = { trusted: false };

/** What `serve` makes of an endpoint, for the registration of a function. */
export type RequestHandler = (request: FunctionRequest, context: InvocationContext) => Promise<HttpAnswer>;

/** The way of every request: configured → authenticated → validated → handled → answered. */
export function serve(endpoint: Endpoint, composition: Composition): RequestHandler {
  const reply = replyTo(endpoint, composition);
  return async (request, context) => {
    const { body, ...head } = toHttpAnswer(await reply(request, context));
    return body === undefined || request.method === "HEAD" ? head : { ...head, body };
  };
}

function replyTo(
  endpoint: Endpoint,
  composition: Composition,
): (request: FunctionRequest, context: InvocationContext) => Promise<Reply> {
  if ("faults" in composition) {
    const reply = endpoint.unconfigured ?? toErrorReply(notConfigured(composition.faults));
    return async () => reply;
  }
  const { app } = composition;
  return async (request, context) => {
    const log = createLog(context);
    try {
      const { headers, method, body } = request;
      app.telemetry?.note({ "caller.request_id": callerRequestId(headers) });
      const caller = endpoint.access === "everyone" ? nobody : authenticate(app.config.callers, headers);
      app.telemetry?.note({ "liveness.client": caller.clientName });
      if (endpoint.access === "services" && !caller.trusted) throw resourceNotFound();
      return await endpoint.handle(app, {
        params: parseParams(endpoint, request.params),
        query: parseQuery(endpoint.query, request.query),
        caller,
        method,
        url: new URL(request.url),
        headers,
        body,
        log,
      });
    } catch (error) {
      const reply = toErrorReply(error, context.invocationId);
      if (reply.status >= 500) {
        log.error("RequestFailed", { function: endpoint.name, status: reply.status, ...describeError(error) });
      }
      return reply;
    }
  };
}

/** What Azure's client libraries send with each request. Whatever else somebody writes there is not told on. */
function callerRequestId(headers: Headers): string | undefined {
  const id = headers.get("x-ms-client-request-id");
  return id !== null && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? id : undefined;
}

/** 404 that tells neither what is missing nor whether something is there for others. */
export function resourceNotFound(): ApiError {
  return new ApiError(404, "ResourceNotFound", "There is nothing here.");
}

function notConfigured(faults: readonly SettingFault[]): ApiError {
  const names = [...new Set(faults.map((fault) => fault.setting))].join(", ");
  return new ApiError(503, "ServiceNotConfigured", `These settings are missing or wrong: ${names}.`, {
    details: faults.map(({ setting, message }) => ({ code: "InvalidSetting", message, target: setting })),
  });
}

/**
 * The host keeps route values among those of query and body, under whichever spelling of the name came first: a query
 * parameter `SESSIONID` takes the name, not the value, of `sessionId`.
 */
function parseParams<Params>({ route, params: schema }: Endpoint<Params>, params: FunctionRequest["params"]): Params {
  const names = [...route.matchAll(/\{\*?(\w+)\}/g)].map(([, name = ""]) => name);
  const values = new Map(Object.entries(params).map(([name, value]) => [name.toLowerCase(), value]));
  const parsed = schema.safeParse(Object.fromEntries(names.map((name) => [name, values.get(name.toLowerCase())])));
  if (!parsed.success) throw resourceNotFound();
  return parsed.data;
}

function parseQuery<Query>(schema: z.ZodType<Query>, query: URLSearchParams): Query {
  const parsed = schema.safeParse(Object.fromEntries(query));
  if (parsed.success) return parsed.data;
  throw badArgument(
    parsed.error.issues.map((issue) => ({
      code: "BadArgument",
      message: issue.message,
      target: issue.path.join(".") || "query",
    })),
  );
}
