import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request as openRequest, type RequestOptions } from "node:http";
import { connect } from "node:net";
import { json } from "node:stream/consumers";
import { describe, test } from "node:test";
// biome-ignore lint/correctness/noUndeclaredDependencies: the worker provides it; no package of that name exists.
import type { CoreInvocationContext, ProgrammingModel } from "@azure/functions-core";
import * as z from "zod";
import { createForwardedRequests } from "../../src/http/forwarded-requests.ts";
import { type FunctionRequest, withHttpStreaming } from "../../src/http/streaming-model.ts";

/** The app's code between the host's HTTP requests and the handlers, with a stand-in for the library's model. */

const errorShape = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const library: ProgrammingModel = {
  name: "library",
  version: "1",
  getCapabilities: (defaults) => ({ ...defaults, fromLibrary: "true" }),
  getInvocationModel: ({ request }) => ({
    getArguments: async () => ({ context: { given: { ...request } }, inputs: ["by the library"] }),
    invokeFunction: async (context, inputs, handler) => handler(...inputs, context),
    getResponse: async (_context, result) => ({ returnValue: result }),
  }),
};

async function start(everyMs?: number) {
  const model = withHttpStreaming(library, createForwardedRequests(everyMs === undefined ? {} : { everyMs }));
  const capabilities = await model.getCapabilities?.({ fromWorker: "true" });
  return { model, url: new URL(capabilities?.HttpUri ?? ""), capabilities };
}

interface Sent extends RequestOptions {
  body?: string;
}

/** Sends a request as the host does, and resolves with its answer. */
async function send(url: URL, invocationId: string | undefined, { body, ...options }: Sent = {}) {
  const request = openRequest(url, {
    agent: false,
    ...options,
    headers: {
      "x-forwarded-host": "app.example",
      "x-forwarded-proto": "https",
      ...(invocationId !== undefined && { "x-ms-invocation-id": invocationId }),
      ...options.headers,
    },
  });
  request.end(body);
  const [response] = await once(request, "response");
  return { status: response.statusCode, headers: response.headers, body: await json(response) };
}

/** Runs an invocation as the worker does. */
async function invoke(
  model: ProgrammingModel,
  invocationId: string,
  handler: (request: FunctionRequest, context: unknown) => unknown,
  context: Partial<CoreInvocationContext> = {},
) {
  const invocation = await model.getInvocationModel({
    invocationId,
    request: { inputData: [{ name: "request" }], triggerMetadata: {} },
    metadata: { name: "aFunction", bindings: { request: { type: "httpTrigger" } } },
    log: () => undefined,
    ...context,
  });
  const { context: own, inputs } = await invocation.getArguments();
  const result = await invocation.invokeFunction(own, inputs, handler as (...args: unknown[]) => unknown);
  return invocation.getResponse(own, result);
}

/** Sends a request, runs its invocation, and resolves with the answer. */
async function exchange(
  { model, url }: { model: ProgrammingModel; url: URL },
  handler: Parameters<typeof invoke>[2],
  sent?: Sent,
  context?: Partial<CoreInvocationContext>,
) {
  const invocationId = randomUUID();
  const answering = send(url, invocationId, sent);
  await invoke(model, invocationId, handler, context);
  return { invocationId, ...(await answering) };
}

const echo = async ({ method, url, headers, query, params, body }: FunctionRequest) => ({
  status: 201,
  headers: { "x-answered-by": "echo" },
  body: Buffer.from(
    JSON.stringify({
      method,
      url,
      headers: Object.fromEntries(headers),
      query: [...query],
      params,
      body: body === null ? null : await json(body),
    }),
  ),
});

describe("a forwarded request", () => {
  for (const order of ["before its invocation", "after its invocation"]) {
    test(`that arrives ${order} reaches the handler, and trigger metadata cannot change it`, async () => {
      const { model, url } = await start();
      const invocationId = randomUUID();
      const forged = { json: JSON.stringify({ "a b": "c", "x-ms-client-principal": "forged" }) };
      const triggerMetadata = { id: { string: "7" }, Headers: forged, Query: { json: "{" }, other: { json: "{" } };
      const sendIt = () =>
        send(new URL("/things/7?x=1&Headers=2", url), invocationId, {
          method: "POST",
          headers: { "x-a": ["1", "2"], "content-type": "application/json" },
          body: '{"Headers":{"a b":"c"}}',
        });
      const invokeIt = () => invoke(model, invocationId, echo, { request: { inputData: [], triggerMetadata } });
      const isFirst = order === "before its invocation";
      const early = isFirst ? undefined : invokeIt();
      const answering = sendIt();
      // The answer to this later request proves that the server has accepted the first connection.
      if (isFirst) await send(url, undefined);
      assert.deepEqual(await (early ?? invokeIt()), { invocationId, outputData: [] });
      const { status, headers, body } = await answering;
      assert.deepEqual([status, headers["x-answered-by"], headers["x-ms-invocation-id"]], [201, "echo", invocationId]);
      const { headers: seen, ...rest } = z.looseObject({ headers: z.record(z.string(), z.string()) }).parse(body);
      assert.deepEqual([seen["x-a"], seen["a b"], seen["x-ms-client-principal"]], ["1, 2", undefined, undefined]);
      assert.deepEqual(rest, {
        method: "POST",
        url: "https://app.example/things/7?x=1&Headers=2",
        query: [
          ["x", "1"],
          ["Headers", "2"],
        ],
        params: { id: "7" },
        body: { Headers: { "a b": "c" } },
      });
    });
  }

  test("the library receives no data of the caller", async () => {
    let given: unknown;
    const handler = (_request: FunctionRequest, context: unknown) => {
      given = context;
      return { status: 200, headers: {}, body: Buffer.from("{}") };
    };
    const request = { inputData: [{ name: "request" }], triggerMetadata: { Headers: { json: "{" } } };
    await exchange(await start(), handler, {}, { request });
    assert.deepEqual(given, { given: { inputData: [], triggerMetadata: {} } });
  });

  test("an invalid forwarded host does not prevent an answer", async () => {
    const { model, url } = await start();
    for (const host of ["a b", "1.2.3.4.5", "", "a:99999"]) {
      const forwarded = { headers: { "x-forwarded-host": host } };
      const { body } = await exchange({ model, url: new URL("/x?y=1", url) }, echo, forwarded);
      const seen = new URL(z.looseObject({ url: z.url() }).parse(body).url);
      assert.deepEqual([seen.hostname, seen.pathname, seen.search], ["localhost", "/x", "?y=1"], host);
    }
  });

  test("more headers than Node's default, or an unknown Expect -> served", async () => {
    const started = await start();
    for (const headers of [{ "x-large": "x".repeat(33_000) }, { expect: "something" }]) {
      assert.equal((await exchange(started, echo, { headers })).status, 201);
    }
  });

  test("a handler that throws or returns an invalid response -> the error shape", async () => {
    const started = await start();
    const handlers = [
      () => {
        throw new TypeError("on purpose");
      },
      () => ({ status: 200, headers: { "x-bad": "a\nb" } }),
      () => ({ status: 99_999, headers: {} }),
      () => undefined,
    ];
    for (const handler of handlers) {
      const logged: string[] = [];
      const log: CoreInvocationContext["log"] = (_level, _category, message) => logged.push(message);
      const { invocationId, status, headers, body } = await exchange(started, handler, {}, { log });
      assert.deepEqual([status, headers["x-ms-error-code"]], [500, "InternalServerError"]);
      assert.match(errorShape.parse(body).error.message, new RegExp(invocationId));
      assert.equal(logged.length, 1);
      assert.match(logged[0] ?? "", /"event":"RequestFailed","function":"aFunction","status":500/);
    }
  });

  test("a missing or already waiting invocation id -> 400 at once", async () => {
    const { model, url } = await start();
    const invocationId = randomUUID();
    const first = send(url, invocationId);
    const refused = [await send(url, undefined)];
    // Requests on different connections arrive in any order; the later one is refused.
    const second = send(url, invocationId);
    refused.push(await Promise.race([first, second]));
    for (const { status, headers, body } of refused) {
      assert.deepEqual([status, headers["x-ms-error-code"]], [400, "BadArgument"]);
      assert.equal(errorShape.parse(body).error.code, "BadArgument");
    }
    await invoke(model, invocationId, echo);
    assert.deepEqual((await Promise.all([first, second])).map(({ status }) => status).sort(), [201, 400]);
  });

  test("a request without an invocation -> 400 after the timeout, also with ids such as `error` and `__proto__`", async () => {
    const { url } = await start(1);
    for (const invocationId of ["error", "__proto__", "constructor", "newListener", randomUUID()]) {
      const { status, body } = await send(url, invocationId, { method: "POST", body: "{" });
      assert.deepEqual([status, errorShape.parse(body).error.code], [400, "BadArgument"], invocationId);
    }
  });

  test("an invocation without a request, or with a disconnected client, ends with an error", async () => {
    const { model, url } = await start(1);
    await assert.rejects(invoke(model, randomUUID(), echo), /has not arrived/);
    const invocationId = randomUUID();
    const request = openRequest(url, { agent: false, headers: { "x-ms-invocation-id": invocationId } });
    request.end();
    request.on("error", () => undefined);
    await once(request, "socket");
    request.destroy();
    await assert.rejects(invoke(model, invocationId, echo), /has not arrived/);
  });

  test("only the loopback interface is bound", async () => {
    const { url } = await start();
    assert.equal(url.hostname, "127.0.0.1");
    for (const host of ["::1", "127.0.0.2"]) {
      const socket = connect(Number(url.port), host);
      await assert.rejects(once(socket, "connect"), { name: "Error" }, host);
    }
  });
});

describe("the model", () => {
  test("adds the address to the capabilities and leaves other triggers to the library", async () => {
    const { model, capabilities } = await start();
    assert.match(capabilities?.HttpUri ?? "", /^http:\/\/127\.0\.0\.1:\d+\/$/);
    assert.deepEqual({ ...capabilities, HttpUri: "" }, { fromWorker: "true", fromLibrary: "true", HttpUri: "" });
    assert.deepEqual([model.name, model.version], ["library", "1"]);
    const metadata = { name: "aTimer", bindings: { timer: { type: "timerTrigger" } } };
    const result = await invoke(model, randomUUID(), (input) => input, { metadata });
    assert.deepEqual(result, { returnValue: "by the library" });
  });
});
