import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import * as z from "zod";
import { examples } from "../../../infra/openapi/examples.ts";
import { operations as describedOperations } from "../../../infra/openapi/operations/operations.ts";
import { endpoints } from "../../../src/endpoints.ts";
import { apiVersions } from "../../../src/face/model.ts";
import { errorCodes } from "../../../src/http/error-codes.ts";
import { missing, readDocument, root } from "../documents.ts";
import { createValidator, apiDocument as document } from "../fakes/api-document.ts";

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);
const responseShape = z.object({
  content: z.record(z.string(), z.object({ schema: z.unknown(), example: z.unknown().optional() })).optional(),
});

describe("the OpenAPI document", () => {
  test("is valid OpenAPI 3.1", async () => {
    const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(document)));
    assert.ok(valid, JSON.stringify(errors));
  });

  test("has every registered route except the fallbacks", () => {
    const named = endpoints.filter(({ name }) => !name.endsWith("Fallback"));
    const expected = named.flatMap(({ name, versions, methods, route }) => {
      const routes = versions?.map((version) => [`${name}_${version}`, route.replace("{apiVersion}", version)]);
      return (routes ?? [[name, route]]).flatMap(([id, path]) => methods.map((method) => `${id} ${method} /${path}`));
    });
    const described = operations.map(
      ({ path, method, operation }) => `${operation.operationId} ${method.toUpperCase()} ${path}`,
    );
    assert.deepEqual(described.sort(), expected.sort());
    assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, described.length);
    const names = new Set(named.map(({ name }) => name));
    assert.deepEqual(new Set(Object.keys(describedOperations)), names, "each description belongs to a route");
  });

  test("has every operation of every version", () => {
    const counted = apiVersions.map((version) => operations.filter(({ path }) => path.includes(`/${version}/`)).length);
    // Two kinds of session: create, get, delete; the previews' two lists; the session image and the settings if supported.
    assert.deepEqual(counted, [10, 11, 7, 10]);
  });

  test("declares exactly the parameters of each path, none for the version", () => {
    for (const { path, operation } of operations) {
      assert.doesNotMatch(path, /apiVersion/);
      const parameters = z.array(z.object({ name: z.string(), in: z.string(), required: z.boolean() }));
      const inPath = parameters.parse(operation.parameters).filter((parameter) => parameter.in === "path");
      const expected = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: "path", required: true }));
      assert.deepEqual(inPath, expected, path);
    }
  });

  test("has types and defaults of query parameters", () => {
    const listed = document.paths["/api/devices/{deviceCorrelationId}/outcomes"]?.get?.parameters;
    const top = listed?.find(({ name }) => name === "top");
    const schema = { type: "integer", minimum: 1, maximum: 100, default: 50 };
    assert.deepEqual(top, {
      name: "top",
      required: false,
      in: "query",
      schema,
      description: "Most items of the page.",
    });
  });

  test("requires authentication exactly as the app does", () => {
    for (const { operation } of operations) {
      const { access } = endpoints.find(({ name }) => name === operation.operationId.replace(/_v.*/, "")) ?? {};
      const ways = operation.security.flatMap((way) => Object.keys(way));
      const expected = access === "everyone" ? [] : Object.keys(document.components.securitySchemes);
      assert.deepEqual(ways, expected, operation.operationId);
      assert.equal("401" in operation.responses, access !== "everyone");
    }
  });

  test("has a tag with a description for every operation", () => {
    const known = document.tags.filter(({ description }) => description !== "").map(({ name }) => name);
    assert.deepEqual([...new Set(operations.flatMap(({ operation }) => operation.tags))], known);
  });

  test("has a valid example for every JSON body", () => {
    const faultOf = createValidator(document);
    for (const { path, method, operation } of operations) {
      const place = ["paths", path, method];
      const json = ["content", "application/json"];
      const body = responseShape.parse(operation.requestBody ?? {}).content?.["application/json"];
      if (body !== undefined) {
        assert.ok(body.example, `${operation.operationId} takes JSON and has no example`);
        assert.equal(faultOf([...place, "requestBody", ...json, "schema"], body.example), undefined);
      }
      for (const [status, response] of Object.entries(operation.responses)) {
        const answer = "$ref" in response ? undefined : responseShape.parse(response).content?.["application/json"];
        if (answer === undefined || operation.operationId === "getApiDescription") continue;
        assert.ok(answer.example, `${operation.operationId} answers JSON and has no example`);
        const schema = [...place, "responses", status, ...json, "schema"];
        assert.equal(faultOf(schema, answer.example), undefined, operation.operationId);
      }
    }
    const names = new Set(endpoints.map(({ name }) => name));
    assert.ok(Object.keys(examples).every((name) => names.has(name)));
  });

  test("its schemas accept the requests and responses of the service's documentation", () => {
    const samples = z
      .array(z.object({ path: z.string(), request: z.looseObject({}), response: z.unknown() }))
      .parse(JSON.parse(readDocument("test/fixtures/face-docs/create-requests.json")));
    const faultOf = createValidator(document);
    for (const { path, request, response } of samples) {
      const place = ["paths", path, "post"];
      const schema = ["content", "application/json", "schema"];
      const isContradiction = request.deviceCorrelationIdSetInClient === true && "deviceCorrelationId" in request;
      const fault = faultOf([...place, "requestBody", ...schema], request);
      assert.equal(fault !== undefined, isContradiction, fault);
      const { deviceCorrelationId: _, ...mended } = request;
      if (isContradiction) assert.equal(faultOf([...place, "requestBody", ...schema], mended), undefined);
      assert.equal(faultOf([...place, "responses", "200", ...schema], response), undefined);
    }
  });
});

describe("the codes of errors", () => {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readDocument(`src/${name}`))
    .join("\n");
  const thrown = [...sources.matchAll(/(?:new ApiError\(\s*(\d{3}),\s*|badRequest\(\s*)"(\w+)"/g)]
    .map(([, status = "400", code = ""]) => ({ status: Number(status), code }))
    // Only from the service's gateway, never from the app itself.
    .filter(({ code }) => code !== "403");
  const known = new Set(thrown.map(({ code }) => code));

  test("are exactly those that the source throws", () => {
    assert.ok(known.size > 30);
    assert.deepEqual(Object.keys(errorCodes).sort(), [...known].sort());
  });

  test("have the status of their responses", () => {
    const statuses = new Map<string, number>(Object.entries(errorCodes).map(([code, { status }]) => [code, status]));
    const others = thrown.filter(({ status, code }) => statuses.get(code) !== status);
    // The service uses the code for media types too.
    assert.deepEqual(others, [{ status: 415, code: "BadArgument" }]);
  });

  test("all belong to an operation or a fallback", () => {
    const withExamples = z.object({
      content: z.record(z.string(), z.object({ examples: z.record(z.string(), z.unknown()).default({}) })),
    });
    const described = Object.values(document.components.responses).flatMap((response) =>
      Object.keys(withExamples.parse(response).content["application/json"]?.examples ?? {}),
    );
    assert.deepEqual(missing([...known], described).sort(), ["MethodNotAllowed", "UnsupportedApiVersion"]);
  });
});
