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
import { type HttpAnswer, type Reply, toErrorReply, toHttpAnswer } from "./responses.ts";
import type { FunctionRequest } from "./streaming-model.ts";

/**
 * Who may call: everyone, without authentication; every authenticated caller; trusted services and reviewers; trusted
 * services only.
 */
export type Access = "everyone" | "callers" | "reviewers" | "services";

/** A validated request of an authenticated caller. */
export interface EndpointRequest<Params, Query> {
  params: Params;
  query: Query;
  caller: Caller;
  method: string;
  url: URL;
  headers: Headers;
  body: ReadableStream<Uint8Array> | null;
  log(): Log;
}

/**
 * A route as data, used by the registration, the fallback routes, the OpenAPI document and the tests. Its bodies, headers and
 * errors are described in `infra/openapi/operations`, by its name.
 */
export interface Endpoint<Params = unknown, Query = unknown> {
  /** Name of the function; also the operation id. */
  name: string;
  summary: string;
  methods: HttpMethod[];
  route: string;
  access: Access;
  /** Route parameters. Values that do not match are answered with 404. */
  params: z.ZodType<Params>;
  query: z.ZodType<Query>;
  /** Versions of the Face API that have the route. Absent for the app's own routes. */
  versions?: readonly ApiVersion[];
  /** The response while the settings are wrong. Default: 503 `ServiceNotConfigured`. */
  unconfigured?: Reply;
  handle(app: App, request: EndpointRequest<Params, Query>): Promise<Reply>;
}

const nothing = z.object({});

/** Infers the types of parameters and query from their schemas. Without a schema there are none. */
export function defineEndpoint<Params, Query>(
  endpoint: Omit<Endpoint<Params, Query>, "params" | "query"> &
    Partial<Pick<Endpoint<Params, Query>, "params" | "query">>,
): Endpoint {
  return { params: nothing, query: nothing, ...endpoint };
}

/** The methods of a route, with `HEAD` added to `GET`. */
export function answeredMethods({ methods }: Pick<Endpoint, "methods">): HttpMethod[] {
  return methods.flatMap((method) => (method === "GET" && !methods.includes("HEAD") ? ["GET", "HEAD"] : [method]));
}

/** The caller on routes without authentication. */
const anonymous: Caller = { trusted: false };

/** Handler of an HTTP function. */
export type RequestHandler = (request: FunctionRequest, context: InvocationContext) => Promise<HttpAnswer>;

/** The steps of every request: check the configuration, authenticate, validate, handle, respond. */
export function serve(endpoint: Endpoint, composition: Composition): RequestHandler {
  const reply = replyTo(endpoint, composition);
  return async (request, context) => {
    const answer = toHttpAnswer(await reply(request, context));
    if (request.method !== "HEAD") return answer;
    const { body: _, stream: __, ...head } = answer;
    return head;
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
    try {
      const { headers, method, body } = request;
      app.telemetry?.note({ "caller.request_id": callerRequestId(headers) });
      const caller = endpoint.access === "everyone" ? anonymous : authenticate(app.config.callers, headers);
      app.telemetry?.note({ "liveness.client": caller.clientName });
      if (!isAdmitted(endpoint.access, caller)) throw resourceNotFound();
      return await endpoint.handle(app, {
        params: parseParams(endpoint, request.params),
        query: parseQuery(endpoint.query, request.query),
        caller,
        method,
        url: new URL(request.url),
        headers,
        body,
        log: () => createLog(context),
      });
    } catch (error) {
      const reply = toErrorReply(error, context.invocationId);
      if (reply.status >= 500) {
        const fields = { function: endpoint.name, status: reply.status, ...describeError(error) };
        createLog(context).error("RequestFailed", fields);
      }
      return reply;
    }
  };
}

function isAdmitted(access: Access, { trusted, isReviewer }: Caller): boolean {
  if (access === "services") return trusted;
  return access !== "reviewers" || trusted || isReviewer === true;
}

/** `x-ms-client-request-id`, if it is a UUID as Azure's client libraries send it. Other values do not reach the telemetry. */
function callerRequestId(headers: Headers): string | undefined {
  const id = headers.get("x-ms-client-request-id");
  return id !== null && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? id : undefined;
}

/** 404 that does not disclose whether the resource exists for other callers. */
export function resourceNotFound(): ApiError {
  return new ApiError(404, "ResourceNotFound", "The resource does not exist.");
}

function notConfigured(faults: readonly SettingFault[]): ApiError {
  const names = [...new Set(faults.map((fault) => fault.setting))].join(", ");
  return new ApiError(503, "ServiceNotConfigured", `These settings are missing or wrong: ${names}.`, {
    details: faults.map(({ setting, message }) => ({ code: "InvalidSetting", message, target: setting })),
  });
}

/**
 * The host mixes route values with those of query and body, under the first spelling of a name: with a query parameter
 * `SESSIONID`, the route value arrives under that name.
 */
function parseParams<Params>({ route, params: schema }: Endpoint<Params>, params: FunctionRequest["params"]): Params {
  const names = [...route.matchAll(/\{\*?(\w+)\}/g)].map(([, name = ""]) => name);
  const parsed = schema.safeParse(Object.fromEntries(names.map((name) => [name, findParam(params, name)])));
  if (!parsed.success) throw resourceNotFound();
  return parsed.data;
}

/** Compares lengths first: a body can add thousands of names, each of which would cost a conversion to lower case. */
function findParam(params: FunctionRequest["params"], name: string): string | undefined {
  if (params[name] !== undefined) return params[name];
  const lowerCase = name.toLowerCase();
  for (const key in params) {
    if (key.length === name.length && key.toLowerCase() === lowerCase) return params[key];
  }
  return undefined;
}

/** Query parameter with the length of a page, 1 to `max`. */
export function pageSize(max: number, byDefault: number) {
  return z
    .string()
    .regex(new RegExp(`^\\d{1,${String(max).length}}$`), `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .pipe(z.int().min(1, "must be at least 1").max(max, `must be at most ${max}`))
    .default(byDefault)
    .describe("Most items of the page.");
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
