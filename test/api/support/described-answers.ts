import assert from "node:assert/strict";
import * as z from "zod";
import type { Operation } from "../../../infra/openapi/document.ts";
import { apiDocument, createValidator } from "../../unit/fakes/api-document.ts";

/** An answer, unparsed. */
export interface WireAnswer {
  status: number;
  headers: Headers;
  text: string;
}

const faultOf = createValidator(apiDocument);

const answerShape = z.object({
  headers: z.record(z.string(), z.object({ required: z.boolean() })).default({}),
  content: z.record(z.string(), z.object({ examples: z.record(z.string(), z.unknown()).optional() })).default({}),
});
const errorShape = z.object({ error: z.object({ code: z.string() }) });

/** Headers that the host, the server or the page's policy adds. The description does not list them. */
const transport = new Set(
  `access-control-allow-origin allow cache-control connection content-encoding content-length content-security-policy
  content-type date keep-alive transfer-encoding vary x-content-type-options x-ms-invocation-id`.split(/\s+/),
);

const operations = Object.entries(apiDocument.paths)
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      pattern: patternOf(path),
      isLiteral: !path.includes("{"),
      operation,
      place: ["paths", path, method],
    })),
  )
  // As in the host, literal paths come before paths with parameters.
  .sort((one, other) => Number(other.isLiteral) - Number(one.isLiteral));

function patternOf(path: string): RegExp {
  const segments = path.split("/").map((segment) => (segment.startsWith("{") ? "[^/]+" : RegExp.escape(segment)));
  return new RegExp(`^${segments.join("/")}/?$`);
}

/**
 * Checks an answer of the app against the API's description: status, headers and body. A call that matches no operation
 * must have an error of the common shape as its answer. Paths outside the app are ignored.
 */
export function checkAnswer(method: string, url: string, answer: WireAnswer): void {
  const { pathname } = new URL(url);
  if (!/^\/(api|face)(\/|$)/.test(pathname)) return;
  const found = operations.find((each) => each.method === method && each.pattern.test(pathname));
  const what = `${method} ${pathname}: ${answer.status} ${answer.text.slice(0, 500)}`;
  if (found === undefined) {
    assert.ok([401, 404, 405, 413, 503].includes(answer.status), `${what}: not described`);
    assertValid(["components", "schemas", "Error"], answer.text, what);
    return;
  }
  const { shape, place } = answerOf(found.operation, found.place, answer.status, what);
  checkHeaders(shape.headers, place, answer.headers, what);
  // The app passes on errors of the Face service, with any code.
  checkBody(shape.content, place, answer, "default" in found.operation.responses, what);
}

function answerOf({ responses }: Operation, place: string[], status: number, what: string) {
  const key = String(status) in responses ? String(status) : "default";
  const described = responses[key];
  assert.ok(described, `${what}: the status is not described`);
  if (!("$ref" in described)) return { shape: answerShape.parse(described), place: [...place, "responses", key] };
  const name = String(described.$ref).replace("#/components/responses/", "");
  const response = apiDocument.components.responses[name];
  return { shape: answerShape.parse(response), place: ["components", "responses", name] };
}

function checkHeaders(
  described: z.output<typeof answerShape>["headers"],
  place: string[],
  headers: Headers,
  what: string,
): void {
  for (const [name, { required }] of Object.entries(described)) {
    const value = headers.get(name);
    assert.ok(value !== null || !required, `${what}: without ${name}`);
    if (value !== null) {
      assertValid([...place, "headers", name, "schema"], JSON.stringify(value), `${what}: ${name}`);
    }
  }
  const known = new Set(Object.keys(described).map((name) => name.toLowerCase()));
  const others = [...headers.keys()].filter((name) => !known.has(name) && !transport.has(name));
  assert.deepEqual(others, [], `${what}: headers that are not described`);
}

function checkBody(
  content: z.output<typeof answerShape>["content"],
  place: string[],
  { status, headers, text }: WireAnswer,
  isOpen: boolean,
  what: string,
): void {
  const type = headers.get("content-type")?.split(";")[0] ?? "";
  const [known] = Object.keys(content).filter((range) => range === type || range === type.replace(/\/.*/, "/*"));
  if (known === undefined) {
    assert.deepEqual([Object.keys(content), text], [[], ""], `${what}: ${type} is not described`);
    return;
  }
  if (type !== "application/json") return;
  assertValid([...place, "content", known, "schema"], text, what);
  if (status < 400) return;
  const { code } = errorShape.parse(JSON.parse(text)).error;
  assert.equal(headers.get("x-ms-error-code"), code, what);
  const codes = Object.keys(content[known]?.examples ?? {});
  assert.ok(isOpen || codes.includes(code), `${what}: the code is not described`);
}

function assertValid(place: string[], json: string, what: string): void {
  const fault = faultOf(place, JSON.parse(json));
  assert.equal(fault, undefined, `${what}: ${fault}`);
}
