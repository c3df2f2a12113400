import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import fc from "fast-check";
import * as z from "zod";
import { makeImage } from "../fixtures/images.ts";
import { apiDocument } from "../unit/fakes/api-document.ts";
import type { AppRequest } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

/**
 * Sends values that the description allows in paths, queries and headers, and values that it forbids. The client checks
 * that each answer is described; the tests check that allowed values never lead to 5xx and forbidden values lead to 4xx.
 */

const parameterShape = z.object({
  name: z.string(),
  in: z.enum(["path", "query", "header"]),
  required: z.boolean(),
  schema: z.strictObject({
    type: z.enum(["string", "integer"]),
    const: z.string().optional(),
    enum: z.array(z.string()).optional(),
    pattern: z.string().optional(),
    format: z.literal("date-time").optional(),
    minLength: z.int().default(0),
    maxLength: z.int().default(40),
    minimum: z.int().default(0),
    maximum: z.int().default(0),
    default: z.unknown().optional(),
  }),
});
type Parameter = z.output<typeof parameterShape>;

const bodyShape = z.object({
  content: z.record(z.string(), z.object({ example: z.unknown().optional() })),
});

const operations = Object.entries(apiDocument.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, parameters, requestBody }]) => ({
    id: operationId,
    method: method.toUpperCase(),
    path,
    parameters: z.array(parameterShape).parse(parameters),
    request: requestOf(requestBody),
  })),
);

/** The body of each call of an operation that takes one. */
function requestOf(requestBody: unknown): AppRequest {
  if (requestBody === undefined) return {};
  const { content } = bodyShape.parse(requestBody);
  const json = content["application/json"];
  return json === undefined ? { body: makeImage() } : { json: json.example };
}

function allowedBy({ schema, in: place }: Parameter): fc.Arbitrary<string> {
  const { const: only, enum: several, pattern, format, minLength, maxLength, minimum, maximum } = schema;
  if (only !== undefined) return fc.constant(only);
  if (several !== undefined) return fc.constantFrom(...several);
  if (schema.type === "integer") return fc.integer({ min: minimum, max: maximum }).map(String);
  if (format !== undefined) return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc
    .string({
      unit: place === "header" ? "grapheme-ascii" : "grapheme",
      minLength,
      maxLength: Math.min(maxLength, 64),
    })
    .filter((text) => text.length <= maxLength && text.length >= minLength);
}

/** Leading and trailing spaces are not part of a header's value. */
const anyText = fc.string({ unit: "grapheme-ascii", minLength: 1 }).filter((text) => text === text.trim());

/** Undefined where any text is allowed. */
function forbiddenBy({ schema }: Parameter): fc.Arbitrary<string> | undefined {
  const { const: only, enum: several, pattern, format, type, minimum, maximum } = schema;
  if (format !== undefined) return anyText.filter((text) => Number.isNaN(Date.parse(text)));
  if (type === "integer") return fc.constantFrom(String(minimum - 1), String(maximum + 1), "1.5", "x");
  if ((only ?? several ?? pattern) === undefined) return undefined;
  return anyText.filter((text) => {
    const fits = pattern !== undefined && new RegExp(pattern).test(text);
    return !(fits || text === only || several?.includes(text));
  });
}

type Operation = (typeof operations)[number];

function fill({ path, method, request }: Operation, values: [Parameter, string | undefined][]): [string, AppRequest] {
  const given = values.flatMap(([{ name, in: place }, value]) => (value === undefined ? [] : [{ name, place, value }]));
  const filled = given
    .filter(({ place }) => place === "path")
    // Segments of dots alone change the path, and an empty value is no segment.
    .reduce(
      (text, { name, value }) => text.replace(`{${name}}`, encodeURIComponent(value.replace(/^\.*$/, "x"))),
      path,
    );
  const query = new URLSearchParams(
    given.filter(({ place }) => place === "query").map(({ name, value }): [string, string] => [name, value]),
  );
  const headers = Object.fromEntries(
    given.filter(({ place }) => place === "header").map(({ name, value }) => [name, value]),
  );
  return [`${filled.slice(1)}?${query}`, { ...request, method, headers }];
}

const { stack, app } = await openStack({ env: { CREATION_LIMIT: "1000" } });

describe("requests made from the description", () => {
  for (const operation of operations) {
    test(`${operation.id}: allowed values -> below 500`, async () => {
      const values = fc.tuple(
        ...operation.parameters.map((parameter) =>
          fc.tuple(
            fc.constant(parameter),
            parameter.required ? allowedBy(parameter) : fc.option(allowedBy(parameter), { nil: undefined }),
          ),
        ),
      );
      const property = fc.asyncProperty(values, async (given) => {
        const { status, body } = await app.send(...fill(operation, given));
        assert.ok(status < 500, JSON.stringify(body));
      });
      await fc.assert(property, { numRuns: operation.parameters.length === 0 ? 1 : 20 });
    });

    for (const parameter of operation.parameters) {
      const forbidden = forbiddenBy(parameter);
      if (forbidden === undefined) continue;
      test(`${operation.id}: forbidden ${parameter.name} -> 4xx`, async () => {
        const property = fc.asyncProperty(forbidden, async (value) => {
          const others = operation.parameters.filter((other) => other.required && other !== parameter);
          const given = others.map((other): [Parameter, string] => [other, "x"]);
          const { status, body } = await app.send(...fill(operation, [[parameter, value], ...given]));
          assert.ok([400, 404].includes(status), `${status} ${JSON.stringify(body)}`);
        });
        await fc.assert(property, { numRuns: 10 });
      });
    }
  }
});

/** Headers that differ between two requests. */
const changing = new Set(["date", "x-ms-invocation-id", "apim-request-id"]);

describe("HEAD", () => {
  async function send(method: string, path: string) {
    const request = openRequest(`${stack.url}/${path}`, { method, agent: false }).end();
    const [response] = await once(request, "response");
    const headers = Object.entries(response.headers).filter(([name]) => !changing.has(name));
    return { status: response.statusCode, headers: Object.fromEntries(headers), body: await buffer(response) };
  }

  test("has the status and headers of GET, and no body", async () => {
    const { sessionId, deviceCorrelationId } = await app.openSession();
    const image = `api/reference-images/${randomUUID()}`;
    assert.equal((await app.send(image, { method: "PUT", body: makeImage() })).status, 201);
    const paths = [
      "api/health",
      "api/health/ready",
      "api/openapi.json",
      "api/docs",
      "api/docs/start.js",
      `api/sessions/${sessionId}`,
      `api/devices/${deviceCorrelationId}/outcomes`,
      `face/v1.2/detectLiveness-sessions/${sessionId}`,
      image,
      `${image}/metadata`,
      // Errors.
      "api/sessions/unknown",
      "api/unknown",
      "face/v1.2/detectLiveness-sessions",
      "face/v1.2/unknown",
    ];
    for (const path of paths) {
      const [get, head] = [await send("GET", path), await send("HEAD", path)];
      assert.deepEqual([head.status, head.body.length], [get.status, 0], path);
      // An error's message may contain the method.
      if (get.status < 400) assert.equal(head.headers["content-length"], String(get.body.length), path);
      else delete get.headers["content-length"];
      assert.partialDeepStrictEqual(head.headers, get.headers, path);
    }
  });

  test("is in Allow where GET is", async () => {
    for (const [path, allow] of [
      ["api/health", "GET, HEAD"],
      ["face/v1.2/detectLiveness-sessions/an-id", "GET, HEAD, DELETE"],
      ["face/v1.2/detectLivenessWithVerify-sessions", "POST"],
    ] as const) {
      const answer = await app.send(path, { method: "PUT" });
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, allow], path);
    }
    const head = await send("HEAD", "api/devices/a");
    assert.deepEqual([head.status, head.headers.allow, head.body.length], [405, "DELETE", 0]);
  });
});
