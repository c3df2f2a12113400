import assert from "node:assert/strict";
import { test } from "node:test";
import { createTriggerMetadata } from "../../local/functions-host/trigger-metadata.ts";

const headers = { Host: "here", "X-A": "1,2" };

test("holds route values, query, headers and the properties of a JSON body", () => {
  const metadata = createTriggerMetadata({
    parameters: { id: "from the route" },
    query: new URLSearchParams("ID=from+the+query&a=1&a=2&code=hidden"),
    headers,
    body: '{"id":"from the body","n":5,"on":true,"inner":{"x":1},"list":[1],"nothing":null}',
  });
  assert.deepEqual(metadata, {
    id: { string: "from the route" },
    n: { string: "5" },
    on: { string: "true" },
    inner: { json: '{"x":1}' },
    a: { string: "1,2" },
    Query: { json: '{"ID":"from the query","a":"2","code":"hidden"}' },
    Headers: { json: JSON.stringify(headers) },
  });
});

test("a caller's names take precedence over the host's own", () => {
  const query = new URLSearchParams("headers=x&QUERY=y");
  const metadata = createTriggerMetadata({ parameters: {}, query, headers });
  assert.deepEqual(metadata, { headers: { string: "x" }, QUERY: { string: "y" } });
});

const names = (body: string) =>
  Object.keys(createTriggerMetadata({ parameters: {}, query: new URLSearchParams(), headers: {}, body }));

for (const body of ["", "[]", "null", '"text"', "{broken", "--boundary"]) {
  test(`ignores the body ${JSON.stringify(body)}`, () => assert.deepEqual(names(body), ["Query", "Headers"]));
}

test("ignores a body that is nested deeper than the real host supports", () => {
  const nested = (levels: number) => `{"text":"[[{","deep":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  assert.deepEqual(names(nested(64)), ["text", "Query", "Headers"]);
  for (const levels of [65, 100_000]) assert.deepEqual(names(nested(levels)), ["Query", "Headers"]);
  const objects = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  assert.deepEqual(names(objects), ["Query", "Headers"]);
});
