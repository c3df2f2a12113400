import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseSchedule } from "../../local/functions-host/ncrontab.ts";
import { decodePath, encodePath } from "../../local/functions-host/request-path.ts";
import { matchRoute, parseRoute, sortRoutes } from "../../local/functions-host/routes.ts";
import { createTriggerMetadata } from "../../local/functions-host/trigger-metadata.ts";
import { testProperty } from "../property.ts";

describe("routes", () => {
  const templates = ["{*all}", "a/{*rest}", "a/{x}/c", "a/{x}", "a/b", "a/{x}/{y?}", "a/b/{z}"];
  const routes = sortRoutes(templates.map((template) => parseRoute(template, "", template, [])));

  test("are ordered from specific to general", () => {
    const ordered = routes.map(({ template }) => template);
    assert.deepEqual(ordered, ["a/b/{z}", "a/b", "a/{x}/c", "a/{x}/{y?}", "a/{x}", "a/{*rest}", "{*all}"]);
  });

  const matches: [path: string, template?: string, parameters?: Record<string, string>][] = [
    ["/", "{*all}", {}],
    ["/a", "a/{*rest}", {}],
    ["/a/", "a/{*rest}", {}],
    ["/a/b", "a/b", {}],
    ["/A/B/", "a/b", {}],
    ["/a/1", "a/{x}/{y?}", { x: "1" }],
    ["/a/1/2", "a/{x}/{y?}", { x: "1", y: "2" }],
    ["/a/1/C", "a/{x}/c", { x: "1" }],
    ["/a/b/c", "a/b/{z}", { z: "c" }],
    ["/a/1/2/3", "a/{*rest}", { rest: "1/2/3" }],
    ["/a/1//2", "a/{*rest}", { rest: "1//2" }],
    ["/b/a", "{*all}", { all: "b/a" }],
    // No catch-all begins with an empty segment.
    ["//"],
    ["//a/b"],
    ["/a//", "{*all}", { all: "a/" }],
    ["/a//2", "{*all}", { all: "a//2" }],
  ];
  for (const [path, template, parameters] of matches) {
    test(`${path} goes to ${template}`, () => {
      const match = matchRoute(routes, "GET", path);
      assert.deepEqual([match?.route.template, match?.parameters], [template, parameters]);
    });
  }

  test("with another method are skipped", () => {
    const both = sortRoutes([parseRoute("get", "api", "x", ["GET"]), parseRoute("any", "api", "{*rest}", ["PUT"])]);
    assert.equal(matchRoute(both, "get", "/api/x")?.route.functionName, "get");
    assert.equal(matchRoute(both, "PUT", "/api/x")?.route.functionName, "any");
    assert.equal(matchRoute(both, "POST", "/api/x"), undefined);
    assert.equal(matchRoute(both, "GET", "/x"), undefined, "the prefix counts");
  });

  for (const template of ["{id:int}", "a{b}", "{a?}/b", "{*a}/b", "{x}/{X}", "/a", "a//b"]) {
    test(`of the form ${template} are refused`, () => {
      assert.throws(() => parseRoute("f", "", template, []), /function "f"/);
    });
  }
});

describe("a request path", () => {
  const decoded: [raw: string, path: string | undefined][] = [
    ["/a%20b", "/a b"],
    ["/a%2fb%2F", "/a%2fb%2F"],
    ["/%25", "/%"],
    ["/%E2%82%AC", "/€"],
    ["/%E2%82", "/%E2%82"],
    ["/%zz%4", "/%zz%4"],
    ["/a/../b/./c/..", "/b/"],
    ["/../..", "/"],
    ["/a%2F..%2Fb", "/a%2F..%2Fb"],
    ["/é", undefined],
    ["a", undefined],
  ];
  for (const [raw, path] of decoded) {
    test(`${raw} is read as ${path}`, () => assert.equal(decodePath(raw), path));
  }

  const segment = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !/^\.{1,2}$|[/%\0]/.test(text));
  testProperty("round-trips", [fc.array(segment)], (segments) => {
    const path = `/${segments.map((text) => text.toWellFormed()).join("/")}`;
    assert.equal(decodePath(encodePath(path)), path);
  });
});

describe("trigger metadata", () => {
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
});

describe("a schedule", () => {
  const examples: [expression: string, after: string, next: string | undefined][] = [
    ["0 */5 * * * *", "2026-01-01T00:00:00.000Z", "2026-01-01T00:05:00.000Z"],
    ["0 */5 * * * *", "2026-01-01T00:04:59.999Z", "2026-01-01T00:05:00.000Z"],
    ["*/5 * * * *", "2026-12-31T23:58:00.000Z", "2027-01-01T00:00:00.000Z"],
    ["*/20 * * * * *", "2026-01-01T00:00:41.000Z", "2026-01-01T00:01:00.000Z"],
    ["0 30 9-11,14 * * *", "2026-01-01T11:30:00.000Z", "2026-01-01T14:30:00.000Z"],
    ["0 0 0 31 * *", "2026-01-31T00:00:00.000Z", "2026-03-31T00:00:00.000Z"],
    ["0 0 0 29 2 *", "2026-01-01T00:00:00.000Z", "2028-02-29T00:00:00.000Z"],
    ["0 0 0 * * Mon-Fri", "2026-01-02T00:00:00.000Z", "2026-01-05T00:00:00.000Z"],
    ["0 0 0 13 * 5", "2026-01-01T00:00:00.000Z", "2026-02-13T00:00:00.000Z"],
    ["0 0 12 1 JAN,jul *", "2026-01-01T12:00:00.000Z", "2026-07-01T12:00:00.000Z"],
    ["10/25 0 0 1 1 *", "2026-01-01T00:00:10.000Z", "2026-01-01T00:00:35.000Z"],
    ["0 0 0 30 2 *", "2026-01-01T00:00:00.000Z", undefined],
  ];
  for (const [expression, after, next] of examples) {
    test(`'${expression}' after ${after}`, () => {
      assert.equal(parseSchedule(expression).next(new Date(after))?.toISOString(), next);
    });
  }

  for (const expression of ["", "* * * *", "* * * * * * *"]) {
    test(`'${expression}' is invalid`, () => assert.throws(() => parseSchedule(expression), /not a schedule/));
  }
  for (const expression of [
    ...["60 * * * * *", "0 0 24 * * *", "0 0 0 0 * *", "5-1 * * * *", "*/0 * * * * *", "a * * * * *"],
    ...["1,,2 * * * * *", "1-2-3 * * * * *", "-1 * * * * *", "0 0 0 L * *"],
  ]) {
    test(`'${expression}' is invalid`, () => assert.throws(() => parseSchedule(expression), /in the schedule/));
  }

  const values = (highest: number) => fc.uniqueArray(fc.nat(highest), { minLength: 1, maxLength: 4 });
  const time = fc.date({ min: new Date("2026-01-01"), max: new Date("2027-01-01"), noInvalidDate: true });
  testProperty("finds the next matching second", [values(59), values(59), time], (seconds, minutes, after) => {
    const expected = new Date(Math.floor(after.getTime() / 1000) * 1000);
    do {
      expected.setTime(expected.getTime() + 1000);
    } while (!seconds.includes(expected.getUTCSeconds()) || !minutes.includes(expected.getUTCMinutes()));
    const next = parseSchedule(`${seconds.join()} ${minutes.join()} * * * *`).next(after);
    assert.equal(next?.toISOString(), expected.toISOString());
  });
});
