import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpRequest } from "@azure/functions";
// biome-ignore lint/correctness/noUndeclaredDependencies: the worker provides it; no package of that name exists.
import type * as worker from "@azure/functions-core";
import { type Exchange, type ForwardedRequests, invocationHeader, writeAnswer } from "./forwarded-requests.ts";
import { describeError } from "./log.ts";
import { type HttpAnswer, toErrorReply, toHttpAnswer } from "./responses.ts";

/** The parts of a request that handlers use. */
export type FunctionRequest = Pick<HttpRequest, "method" | "url" | "headers" | "query" | "params" | "body">;

/**
 * Adds HTTP streaming to the programming model of `@azure/functions`, in place of the library's own
 * (`enableHttpStream`), which this app must leave off.
 *
 * Reason: the library reads the headers of a request from the invocation's trigger metadata, where a property `Headers` in
 * the caller's body or query replaces the real headers. A caller could forge the header in which the platform passes the
 * signed-in user. With an invalid header the library throws, never answers the request, and leaks it with its response and
 * socket. The library also leaks requests and invocations without a counterpart, ends the process at the invocation id
 * `error`, and listens on every network address. Here headers come from the forwarded request, and no value chosen by a
 * caller is converted before the handler runs.
 *
 * Remove this file when the library reads headers from the forwarded request (the functions host test of the library's
 * behaviour fails then), releases unanswered requests, and listens on loopback.
 *
 * @param library the model set by `@azure/functions`; it creates the context and serves all other triggers.
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
  // The library gets no values to convert: the request arrives separately.
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

  /** Resolves after the whole body is sent: the platform keeps the instance for as long as the function runs. */
  async function writeStream(response: ServerResponse, answer: HttpAnswer, stream: AsyncIterable<string>) {
    const { startStream } = await import("./streamed-body.ts");
    const sending = startStream(response, answer, stream);
    try {
      await sending;
    } catch (error) {
      const line = { event: "ResponseInterrupted", function: core.metadata.name, ...describeError(error) };
      core.log("error", "user", JSON.stringify(line));
    }
  }

  return {
    async getArguments() {
      const { context } = await model.getArguments();
      exchange = await requests.take(invocationId);
      return { context, inputs: [toFunctionRequest(exchange.request, params)] };
    },
    // A failure must be answered here: the host does not answer requests that it has forwarded.
    invokeFunction: (context, inputs, handler) => model.invokeFunction(context, inputs, handler).catch(failed),
    async getResponse(_context, result) {
      const { response } = exchange ?? (await requests.take(invocationId));
      response.setHeader(invocationHeader, invocationId);
      try {
        // All handlers of this app return `HttpAnswer`.
        const answer = result as HttpAnswer;
        if (answer.stream === undefined) writeAnswer(response, answer);
        else await writeStream(response, answer, answer.stream);
      } catch (error) {
        writeAnswer(response, failed(error));
      }
      return { invocationId, outputData: [] };
    },
  };
}

/**
 * Route values, together with values that the host adds from body and query. An added value never replaces a route value,
 * but may change the case of its name.
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
  // An import of `node:stream/web` would be loaded at the start; Node.js loads the global class at its first use.
  const body = method === "GET" || method === "HEAD" ? null : ReadableStream.from<Uint8Array>(message);
  return { method, url: url.href, headers: headersOf(message), query: url.searchParams, params, body };
}

/** The URL as sent. An invalid host name is replaced: the app does not depend on it. */
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
