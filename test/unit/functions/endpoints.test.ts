import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpMethod } from "@azure/functions";
import * as z from "zod";
import { endpoints } from "../../../src/endpoints.ts";
import { answeredMethods } from "../../../src/http/endpoint.ts";
import { call, createApp } from "../fakes/app.ts";
import { createWorld } from "../fakes/world.ts";

const fallbacks = endpoints.filter(({ name }) => name.endsWith("Fallback"));
const named = endpoints.filter((endpoint) => !fallbacks.includes(endpoint));
const routes = [...new Set(named.map(({ route }) => route))];
const methods: HttpMethod[] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];

/** A path that matches the route. */
function pathOf(route: string): string {
  const version = endpoints.find((endpoint) => endpoint.route === route)?.versions?.at(-1) ?? "";
  return `/${route.replace("{apiVersion}", version).replaceAll(/\{\w+\}/g, "an-id")}`;
}

describe("the endpoints", () => {
  test("have unique names that are valid for functions", () => {
    const names = endpoints.map(({ name }) => name);
    assert.equal(new Set(names.map((name) => name.toLowerCase())).size, names.length);
    for (const name of names) assert.match(name, /^[a-z][A-Za-z0-9]{0,126}$/);
  });

  test("have unique combinations of route and method", () => {
    const taken = endpoints.flatMap((endpoint) => {
      const route = endpoint.route.replaceAll(/\{\w+\}/g, "{}").toLowerCase();
      return answeredMethods(endpoint).map((method) => `${method} ${route}`);
    });
    assert.deepEqual(taken, [...new Set(taken)]);
  });

  test("have routes below face/ or api/ without a trailing slash", () => {
    for (const { route } of endpoints) assert.match(route, /^(face|api)\/[^/].*[^/]$/);
  });

  test("have the same parameters in routes and schemas", () => {
    for (const { name, route, params } of endpoints) {
      const inRoute = [...route.matchAll(/\{\*?(\w+)\}/g)].map(([, parameter]) => parameter);
      const shape: unknown = z.toJSONSchema(params, { unrepresentable: "any", io: "input" });
      const { properties = {} } = z.object({ properties: z.record(z.string(), z.unknown()).optional() }).parse(shape);
      assert.deepEqual(Object.keys(properties).sort(), inRoute.sort(), name);
    }
  });

  test("have a summary and at least one method", () => {
    for (const { summary, methods: own } of endpoints) {
      assert.match(summary, /^[A-Z].{10,}[^.]$/);
      assert.ok(own.length > 0);
    }
  });

  test("require no authentication only for the API description, error codes and health", () => {
    const open = named.filter(({ access }) => access === "everyone").map(({ name }) => name);
    const aboutTheApi = ["getApiDescription", "getApiReference", "getApiReferenceAsset"];
    assert.deepEqual(open.sort(), [...aboutTheApi, "getHealth", "getReadiness", "listErrorCodes"]);
  });

  test("refuse callers without credentials first, with the service's error and without storage requests", async () => {
    const process = createWorld().start();
    const app = createApp(process, {});
    for (const { name, route, methods: own, access } of named) {
      if (access === "everyone") continue;
      for (const method of own) {
        const invalid = { query: "?top=x", ...(method !== "GET" && { body: "{" }) };
        const answer = await call({ app }, method, pathOf(route), invalid);
        assert.deepEqual([answer.function, answer.status, answer.code], [name, 401, "Unspecified"]);
      }
    }
    assert.deepEqual(process.calls.names, []);
  });

  test("answer 503 with the names of wrong settings, except getHealth", async () => {
    const faults = [{ setting: "FACE_ENDPOINT", message: "is required" }];
    for (const { name, route, methods: own } of named) {
      const answer = await call({ faults }, own[0] ?? "GET", pathOf(route));
      assert.equal(answer.status, name === "getHealth" ? 200 : 503, name);
      if (answer.status === 503) assert.match(answer.text, /FACE_ENDPOINT/);
    }
    assert.equal((await call({ faults }, "GET", "/api/unknown")).status, 503);
  });
});

describe("a wrong method", () => {
  const app = createApp(createWorld().start(), {});

  for (const route of routes) {
    const allowed = named.filter((endpoint) => endpoint.route === route).flatMap(answeredMethods);
    test(`of ${route}: 405 with Allow: ${allowed.join(", ")}`, async () => {
      for (const method of methods.filter((candidate) => !allowed.includes(candidate))) {
        if (method === "TRACE") continue;
        const answer = await call({ app }, method, pathOf(route));
        assert.match(answer.function, /Fallback$/);
        assert.equal(answer.status, 405);
        const listed = (answer.headers.get("allow") ?? "").split(", ").sort();
        assert.deepEqual(listed, [...allowed].sort());
        const message = `${method} is not supported. Supported: ${allowed.join(", ")}.`;
        if (method !== "HEAD") assert.deepEqual(answer.json, { error: { code: "MethodNotAllowed", message } });
        assert.equal(answer.headers.get("x-ms-error-code"), "MethodNotAllowed");
      }
    });
  }
});

for (const [root, paths] of [
  ["face", "/face /face/v1.2 /face/v1.2/detect /face/v1.2/detectLiveness-sessions/a/b/c /face/%2F"],
  ["api", "/api /api/ /api/unknown /api/sessions /api/devices/a/b /api/health/ready/more"],
] as const) {
  test(`an unknown path below ${root}/: 404`, async () => {
    const app = createApp(createWorld().start(), {});
    for (const path of paths.split(" ")) {
      const answer = await call({ app }, "POST", path);
      assert.deepEqual([answer.function, answer.status], [`${root}Fallback`, 404]);
      const error = { code: "ResourceNotFound", message: "The resource does not exist." };
      assert.deepEqual(answer.json, { error });
    }
  });
}
