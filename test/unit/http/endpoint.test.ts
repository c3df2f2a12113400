import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import type { App, Composition } from "../../../src/app.ts";
import { ApiError } from "../../../src/errors.ts";
import { defineEndpoint, type Endpoint, serve } from "../../../src/http/endpoint.ts";
import { createApp } from "../fakes/app.ts";
import { createInvocation, createRequest, readAnswer } from "../fakes/invocation.ts";
import { createWorld } from "../fakes/world.ts";

const strictApp = (): App => createApp(createWorld().start(), { CLIENT_KEYS: "" });
const openApp = (): App => createApp(createWorld().start());

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

const good = { params: { id: "7" } };

async function ask(endpoint: Endpoint, composition: Composition, init: Parameters<typeof createRequest>[0] = good) {
  const { context, lines } = createInvocation(endpoint.name);
  const response = await serve(endpoint, composition)(createRequest(init), context);
  return { ...readAnswer(response), lines };
}

describe("a request", () => {
  test("reaches the handler with validated parameters and query", async () => {
    const { endpoint } = countingEndpoint();
    const answer = await ask(endpoint, { app: openApp() });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, { id: "7", top: "9" });
    assert.deepEqual(answer.lines, []);
  });

  test("gets its route value under any spelling of the name, and no other value", async () => {
    const { endpoint } = countingEndpoint();
    const others = { idd: "1", di: "2", other: "3" };
    for (const params of [
      { ...others, id: "7" },
      { ...others, ID: "7" },
    ]) {
      assert.deepEqual((await ask(endpoint, { app: openApp() }, { params })).json, { id: "7", top: "9" });
    }
    assert.equal((await ask(endpoint, { app: openApp() }, { params: others })).status, 404);
  });

  test("with HEAD gets the response of GET without the body", async () => {
    const unconfigured = { faults: [{ setting: "FACE_ENDPOINT", message: "is required" }] };
    for (const composition of [{ app: openApp() }, { app: strictApp() }, unconfigured]) {
      const { endpoint } = countingEndpoint();
      const get = await ask(endpoint, composition);
      const { status, headers, bytes } = await ask(endpoint, composition, { ...good, method: "HEAD" });
      assert.deepEqual([status, [...headers]], [get.status, [...get.headers]]);
      assert.deepEqual([bytes.length, headers.get("content-length")], [0, String(get.bytes.length)]);
    }
  });

  test("passes configuration, authentication, validation and handler: the first failure is the response", async () => {
    const bad = { params: { id: "x" }, query: { top: "long" } };
    const { endpoint, handled } = countingEndpoint();
    const unconfigured = { faults: [{ setting: "FACE_ENDPOINT", message: "is required" }] };
    const failing = countingEndpoint({ handle: async () => assert.fail("handled") }).endpoint;
    const codes = [
      await ask(endpoint, unconfigured, bad),
      await ask(endpoint, { app: strictApp() }, bad),
      await ask(endpoint, { app: openApp() }, bad),
      await ask(endpoint, { app: openApp() }, { ...bad, params: { id: "7" } }),
      await ask(failing, { app: openApp() }),
    ].map(({ code }) => code);
    const expected = ["ServiceNotConfigured", "Unspecified", "ResourceNotFound", "BadArgument", "InternalServerError"];
    assert.deepEqual(codes, expected);
    assert.equal(handled(), 0);
  });

  test("is not authenticated if the route is for everyone", async () => {
    const { endpoint } = countingEndpoint({ access: "everyone" });
    const headers = { "ocp-apim-subscription-key": "wrong" };
    assert.equal((await ask(endpoint, { app: strictApp() }, { ...good, headers })).status, 200);
  });

  test("of a user gets 404 on routes for trusted services", async () => {
    const claims = [{ typ: "oid", val: "alice" }];
    const principal = Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
    const app = createApp(createWorld().start(), { WEBSITE_AUTH_ENABLED: "true" });
    const { endpoint, handled } = countingEndpoint({ access: "services" });
    const answer = await ask(endpoint, { app }, { ...good, headers: { "x-ms-client-principal": principal } });
    assert.deepEqual([answer.status, answer.code, handled()], [404, "ResourceNotFound", 0]);
    assert.equal((await ask(endpoint, { app: openApp() })).status, 200);
  });

  test("with an invalid query parameter: the details contain its name, not its value", async () => {
    const answer = await ask(countingEndpoint().endpoint, { app: openApp() }, { ...good, query: { top: "s3cr3t" } });
    assert.equal(answer.status, 400);
    assert.deepEqual(answer.json, {
      error: {
        code: "BadArgument",
        message: "Invalid argument specified.",
        details: [{ code: "BadArgument", message: "must be short", target: "top" }],
      },
    });
  });
});

describe("an app with wrong settings", () => {
  const faults = [
    { setting: "CLIENT_KEYS", message: "must be JSON" },
    { setting: "CLIENT_KEYS", message: "each client needs at least one digest" },
    { setting: "FACE_ENDPOINT", message: "is required" },
  ];

  test("answers 503 with their names, and does not log every request", async () => {
    const answer = await ask(countingEndpoint().endpoint, { faults });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("x-ms-error-code"), "ServiceNotConfigured");
    assert.deepEqual(answer.json, {
      error: {
        code: "ServiceNotConfigured",
        message: "These settings are missing or wrong: CLIENT_KEYS, FACE_ENDPOINT.",
        details: faults.map(({ setting, message }) => ({ code: "InvalidSetting", message, target: setting })),
      },
    });
    assert.deepEqual(answer.lines, []);
  });

  test("answers with the endpoint's own response for that case", async () => {
    const { endpoint } = countingEndpoint({ unconfigured: { status: 200, json: "alive" } });
    const answer = await ask(endpoint, { faults });
    assert.deepEqual([answer.status, answer.json], [200, "alive"]);
  });
});

describe("an error in a handler", () => {
  const throwing = (error: unknown) =>
    countingEndpoint({ params: z.object({}), query: z.object({}), handle: () => Promise.reject(error) }).endpoint;

  test("of status 4xx is returned and not logged", async () => {
    const answer = await ask(throwing(new ApiError(409, "Conflict", "Too late.")), { app: openApp() });
    assert.deepEqual([answer.status, answer.json], [409, { error: { code: "Conflict", message: "Too late." } }]);
    assert.deepEqual(answer.lines, []);
  });

  test("that is unexpected is answered with the invocation id, and logged with the function's name", async () => {
    const error = new TypeError("no such table", { cause: new Error("the cause") });
    const answer = await ask(throwing(error), { app: openApp() });
    assert.equal(answer.status, 500);
    assert.match(answer.text, /Invocation id: an-invocation-id\./);
    assert.equal(answer.text.includes("table"), false);
    const [line, ...others] = answer.lines;
    const { stack, ...fields } = line?.fields ?? {};
    assert.deepEqual([line?.level, others], ["error", []]);
    assert.deepEqual(fields, {
      event: "RequestFailed",
      function: "countThings",
      status: 500,
      error: "TypeError",
      message: "no such table",
      cause: "Error: the cause",
    });
    assert.match(String(stack), /endpoint\.test\.ts/);
  });

  test("of status 5xx is logged", async () => {
    const answer = await ask(throwing(new ApiError(503, "ServerBusy", "Busy.")), { app: openApp() });
    assert.equal(answer.lines.length, 1);
    const expected = { event: "RequestFailed", function: "countThings", status: 503, code: "ServerBusy" };
    assert.partialDeepStrictEqual(answer.lines[0]?.fields, expected);
  });

  test("may be thrown synchronously", async () => {
    const endpoint = countingEndpoint({
      handle() {
        throw new Error("at once");
      },
    }).endpoint;
    assert.equal((await ask(endpoint, { app: openApp() })).status, 500);
  });

  test("is logged without the request", async () => {
    const headers = { "ocp-apim-subscription-key": "s3cr3t-key", "x-ms-client-principal": "s3cr3t-principal" };
    const request = createRequest({ ...good, method: "POST", headers, body: { string: "s3cr3t-body" } });
    const error = Object.assign(new Error("failed"), { request, headers });
    const answer = await ask(throwing(error), { app: openApp() }, { ...good, headers });
    assert.equal(answer.lines.length, 1);
    assert.equal(JSON.stringify(answer.lines).includes("s3cr3t"), false);
  });
});
