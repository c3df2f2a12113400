import type { IncomingMessage } from "node:http";
import { ReadableStream } from "node:stream/web";
import type { HttpRequest } from "@azure/functions";
// biome-ignore lint/correctness/noUndeclaredDependencies: the worker provides it; no package of that name exists.
import type * as worker from "@azure/functions-core";
import { type Exchange, type ForwardedRequests, invocationHeader, writeAnswer } from "./forwarded-requests.ts";
import { describeError } from "./log.ts";
import { type HttpAnswer, toErrorReply, toHttpAnswer } from "./responses.ts";

/** What the handler of an HTTP function may use of its request. */
export type FunctionRequest = Pick<HttpRequest, "method" | "url" | "headers" | "query" | "params" | "body">;

/**
 * Adds HTTP streaming to the programming model of `@azure/functions`, in place of the library's own
 * (`enableHttpStream`), which this app must leave off.
 *
 * What this buys: the library makes the headers of a request from the invocation's trigger metadata, where a property
 * `Headers` of the caller's body or query replaces the true ones. So a caller could forge the header that the platform
 * makes of a signed-in user, or send what is no header: then the library throws, the request is never answered, and it is
 * kept together with its response and socket as long as the process lives. It also keeps requests and invocations that
 * never meet, ends the process at the invocation id `error`, and listens on every network address. Here requests are what
 * arrived, and nothing that a caller chooses is converted before the handler runs.
 *
 * Drop this once the library takes the headers from the forwarded request (the test of the functions host that shows the
 * library's behaviour fails then), lets go of what was not answered, and listens on loopback.
 *
 * @param library the model that the library has set: it makes the context, and serves every other trigger.
 */
export function withHttpStreaming(
  library: worker.ProgrammingModel,
  requests: ForwardedRequests,
): worker.ProgrammingModel {
  return {
    name: library.name,
    version: library.version,
    async getCapabilities(defaults) {
      const capabilities = (await library.getCapabilities?.(defaults)) ?? defaults;
      return { ...capabilities, HttpUri: await requests.listen() };
    },
    getInvocationModel: (core) =>
      isHttp(core) ? createHttpInvocation(library, requests, core) : library.getInvocationModel(core),
  };
}

function isHttp({ metadata }: worker.CoreInvocationContext): boolean {
  return Object.values(metadata.bindings ?? {}).some(({ type }) => type?.toLowerCase() === "httptrigger");
}

async function createHttpInvocation(
  library: worker.ProgrammingModel,
  requests: ForwardedRequests,
  core: worker.CoreInvocationContext,
): Promise<worker.InvocationModel> {
  const { invocationId } = core;
  const params = textValues(core.request);
  // The library gets nothing to convert: neither what a caller chose, nor the request, which does not come this way.
  Object.assign(core.request, { inputData: [], triggerMetadata: {} } satisfies worker.InvocationRequest);
  const model = await library.getInvocationModel(core);
  let exchange: Exchange | undefined;

  function failed(error: unknown): HttpAnswer {
    const reply = toErrorReply(error, invocationId);
    const line = {
      event: "RequestFailed",
      function: core.metadata.name,
      status: reply.status,
      ...describeError(error),
    };
    core.log("error", "user", JSON.stringify(line));
    return toHttpAnswer(reply);
  }

  return {
    async getArguments() {
      const { context } = await model.getArguments();
      exchange = await requests.take(invocationId);
      return { context, inputs: [toFunctionRequest(exchange.request, params)] };
    },
    // A failure is an answer, too: the host has none of its own for a request that it has forwarded.
    invokeFunction: (context, inputs, handler) => model.invokeFunction(context, inputs, handler).catch(failed),
    async getResponse(_context, result) {
      const { response } = exchange ?? (await requests.take(invocationId));
      response.setHeader(invocationHeader, invocationId);
      try {
        // The handlers of this app's functions return nothing else.
        writeAnswer(response, result as HttpAnswer);
      } catch (error) {
        writeAnswer(response, failed(error));
      }
      return { invocationId, outputData: [] };
    },
  };
}

/**
 * The route's values, among whatever else the host puts there from body and query. Those never replace a route's value;
 * they may change the case of its name.
 */
function textValues({ triggerMetadata }: worker.InvocationRequest): Record<string, string> {
  return Object.fromEntries(
    Object.entries(triggerMetadata ?? {}).flatMap(([name, data]) =>
      typeof data?.string === "string" ? [[name, data.string]] : [],
    ),
  );
}

function toFunctionRequest(message: IncomingMessage, params: Record<string, string>): FunctionRequest {
  const { method = "GET" } = message;
  const url = urlOf(message);
  const body = method === "GET" || method === "HEAD" ? null : ReadableStream.from<Uint8Array>(message);
  return { method, url: url.href, headers: headersOf(message), query: url.searchParams, params, body };
}

/** As the caller wrote it. A host name that makes no URL is replaced: nothing here depends on it. */
function urlOf({ headers, url = "/" }: IncomingMessage): URL {
  const origin = `${headers["x-forwarded-proto"] || "http"}://${headers["x-forwarded-host"] || "localhost"}`;
  return URL.parse(origin + url) ?? URL.parse(`http://localhost${url}`) ?? new URL("http://localhost/");
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}
