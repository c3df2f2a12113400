import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import type { App, Composition } from "../../../src/app.ts";
import { ApiError } from "../../../src/errors.ts";
import { defineEndpoint, type Endpoint, serve } from "../../../src/http/endpoint.ts";
import { createApp } from "../fakes/app.ts";
import { createInvocation, createRequest, readAnswer } from "../fakes/invocation.ts";
import { principal } from "../fakes/principals.ts";
import { createWorld } from "../fakes/world.ts";

const strictApp = (): App => createApp(createWorld().start(), { CLIENT_KEYS: "" });
const openApp = (): App => createApp(createWorld().start());
const unconfigured: Composition = {
  faults: [
    { setting: "CLIENT_KEYS", message: "must be JSON" },
    { setting: "CLIENT_KEYS", message: "each client needs at least one digest" },
    { setting: "FACE_ENDPOINT", message: "is required" },
  ],
};

/** An endpoint that answers 200 and counts its calls. */
function countingEndpoint(more: Partial<Endpoint> = {}): { endpoint: Endpoint; handled: () => number } {
  let count = 0;
  const endpoint = defineEndpoint({
    name: "countThings",
    summary: "Count",
    methods: ["GET"],
    route: "api/things/{id}",
    access: "callers",
    params: z.object({ id: z.string().regex(/^\d+$/) }),
    query: z.object({ top: z.string().max(2, "must be short").default("9") }),
    async handle(_app, { params, query }) {
      count += 1;
      return { status: 200, json: { ...params, ...query } };
    },
  });
  return { endpoint: { ...endpoint, ...more }, handled: () => count };
}

/** Asks with a valid id and with `init`, as an anonymous caller of an open app unless given. */
async function ask(endpoint: Endpoint, init: Parameters<typeof createRequest>[0] = {}, composition?: Composition) {
  const { context, lines } = createInvocation(endpoint.name);
  const request = createRequest({ params: { id: "7" }, ...init });
  return { ...readAnswer(await serve(endpoint, composition ?? { app: openApp() })(request, context)), lines };
}

describe("a request", () => {
  test("reaches the handler with validated parameters and query", async () => {
    const answer = await ask(countingEndpoint().endpoint);
    assert.deepEqual([answer.status, answer.json, answer.lines], [200, { id: "7", top: "9" }, []]);
  });

  test("gets its route value under any spelling of the name, and no other value", async () => {
    const { endpoint } = countingEndpoint();
    const others = { idd: "1", di: "2", other: "3" };
    for (const name of ["id", "ID"]) {
      const { json } = await ask(endpoint, { params: { ...others, [name]: "7" } });
      assert.deepEqual(json, { id: "7", top: "9" });
    }
    assert.equal((await ask(endpoint, { params: others })).status, 404);
  });

  test("with HEAD gets the response of GET without the body", async () => {
    for (const composition of [{ app: openApp() }, { app: strictApp() }, unconfigured]) {
      const { endpoint } = countingEndpoint();
      const get = await ask(endpoint, {}, composition);
      const { status, headers, bytes } = await ask(endpoint, { method: "HEAD" }, composition);
      assert.deepEqual([status, [...headers]], [get.status, [...get.headers]]);
      assert.deepEqual([bytes.length, headers.get("content-length")], [0, String(get.bytes.length)]);
    }
  });

  test("passes configuration, authentication, validation and handler: the first failure is the response", async () => {
    const bad = { params: { id: "x" }, query: { top: "long" } };
    const { endpoint, handled } = countingEndpoint();
    const failing = countingEndpoint({ handle: async () => assert.fail("handled") }).endpoint;
    const codes = [
      await ask(endpoint, bad, unconfigured),
      await ask(endpoint, bad, { app: strictApp() }),
      await ask(endpoint, bad),
      await ask(endpoint, { query: bad.query }),
      await ask(failing),
    ].map(({ code }) => code);
    const expected = ["ServiceNotConfigured", "Unspecified", "ResourceNotFound", "BadArgument", "InternalServerError"];
    assert.deepEqual(codes, expected);
    assert.equal(handled(), 0);
  });

  test("is not authenticated if the route is for everyone", async () => {
    const { endpoint } = countingEndpoint({ access: "everyone" });
    const headers = { "ocp-apim-subscription-key": "wrong" };
    assert.equal((await ask(endpoint, { headers }, { app: strictApp() })).status, 200);
  });

  test("of a user gets 404 on routes for trusted services", async () => {
    const app = createApp(createWorld().start(), { WEBSITE_AUTH_ENABLED: "true" });
    const { endpoint, handled } = countingEndpoint({ access: "services" });
    const answer = await ask(endpoint, { headers: principal("alice") }, { app });
    assert.deepEqual([answer.status, answer.code, handled()], [404, "ResourceNotFound", 0]);
    assert.equal((await ask(endpoint)).status, 200);
  });

  test("with an invalid query parameter: the details contain its name, not its value", async () => {
    const answer = await ask(countingEndpoint().endpoint, { query: { top: "s3cr3t" } });
    const details = [{ code: "BadArgument", message: "must be short", target: "top" }];
    assert.equal(answer.status, 400);
    assert.deepEqual(answer.json, { error: { code: "BadArgument", message: "Invalid argument specified.", details } });
  });
});

describe("an app with wrong settings", () => {
  test("answers 503 with their names, and does not log every request", async () => {
    const answer = await ask(countingEndpoint().endpoint, {}, unconfigured);
    const code = "ServiceNotConfigured";
    assert.deepEqual([answer.status, answer.headers.get("x-ms-error-code"), answer.lines], [503, code, []]);
    const message = "These settings are missing or wrong: CLIENT_KEYS, FACE_ENDPOINT.";
    const details = unconfigured.faults?.map((fault) => ({
      ...{ code: "InvalidSetting", message: fault.message, target: fault.setting },
    }));
    assert.deepEqual(answer.json, { error: { code, message, details } });
  });

  test("answers with the endpoint's own response for that case", async () => {
    const { endpoint } = countingEndpoint({ unconfigured: { status: 200, json: "alive" } });
    const answer = await ask(endpoint, {}, unconfigured);
    assert.deepEqual([answer.status, answer.json], [200, "alive"]);
  });
});

describe("an error in a handler", () => {
  const answerTo = (handle: () => Promise<never>, init?: Parameters<typeof ask>[1]) =>
    ask(countingEndpoint({ params: z.object({}), query: z.object({}), handle }).endpoint, init);
  const failWith = (error: unknown, init?: Parameters<typeof ask>[1]) => answerTo(() => Promise.reject(error), init);

  test("of status 4xx is returned and not logged", async () => {
    const answer = await failWith(new ApiError(409, "Conflict", "Too late."));
    assert.deepEqual([answer.status, answer.json], [409, { error: { code: "Conflict", message: "Too late." } }]);
    assert.deepEqual(answer.lines, []);
  });

  test("that is unexpected is answered with the invocation id, and logged with the function's name", async () => {
    const answer = await failWith(new TypeError("no such table", { cause: new Error("the cause") }));
    assert.equal(answer.status, 500);
    assert.match(answer.text, /Invocation id: an-invocation-id\./);
    assert.equal(answer.text.includes("table"), false);
    const [line, ...others] = answer.lines;
    const { stack, ...fields } = line?.fields ?? {};
    assert.deepEqual([line?.level, others], ["error", []]);
    assert.deepEqual(fields, {
      ...{ event: "RequestFailed", function: "countThings", status: 500 },
      ...{ error: "TypeError", message: "no such table", cause: "Error: the cause" },
    });
    assert.match(String(stack), /endpoint\.test\.ts/);
  });

  test("of status 5xx is logged", async () => {
    const answer = await failWith(new ApiError(503, "ServerBusy", "Busy."));
    assert.equal(answer.lines.length, 1);
    const expected = { event: "RequestFailed", function: "countThings", status: 503, code: "ServerBusy" };
    assert.partialDeepStrictEqual(answer.lines[0]?.fields, expected);
  });

  test("may be thrown synchronously", async () => {
    const answer = await answerTo(() => {
      throw new Error("at once");
    });
    assert.equal(answer.status, 500);
  });

  test("is logged without the request", async () => {
    const headers = { "ocp-apim-subscription-key": "s3cr3t-key", "x-ms-client-principal": "s3cr3t-principal" };
    const request = createRequest({ method: "POST", headers, body: { string: "s3cr3t-body" } });
    const { lines } = await failWith(Object.assign(new Error("failed"), { request, headers }), { headers });
    assert.equal(lines.length, 1);
    assert.equal(JSON.stringify(lines).includes("s3cr3t"), false);
  });
});
