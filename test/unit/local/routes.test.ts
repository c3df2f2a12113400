import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decodePath, encodePath } from "../../local/functions-host/request-path.ts";
import { matchRoute, parseRoute, sortRoutes } from "../../local/functions-host/routes.ts";
import { testProperty } from "../property.ts";

describe("routes", () => {
  const templates = ["{*all}", "a/{*rest}", "a/{x}/c", "a/{x}", "a/b", "a/{x}/{y?}", "a/b/{z}"];
  const routes = sortRoutes(templates.map((template) => parseRoute(template, "", template, [])));

  test("are ordered from specific to general", () => {
    const ordered = routes.map(({ template }) => template);
    assert.deepEqual(ordered, ["a/b/{z}", "a/b", "a/{x}/c", "a/{x}/{y?}", "a/{x}", "a/{*rest}", "{*all}"]);
  });

  const matches: [path: string, template: string, parameters: Record<string, string>][] = [
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
  ];
  for (const [path, template, parameters] of matches) {
    test(`${path} goes to ${template}`, () => {
      const match = matchRoute(routes, "GET", path);
      assert.deepEqual([match?.route.template, match?.parameters], [template, parameters]);
    });
  }

  const emptySegments: [path: string, template: string | undefined][] = [
    ["//", undefined],
    ["//a/b", undefined],
    ["/a//", "{*all}"],
    ["/a//2", "{*all}"],
  ];
  for (const [path, template] of emptySegments) {
    test(`${path}: no catch-all begins with an empty segment`, () => {
      assert.equal(matchRoute(routes, "GET", path)?.route.template, template);
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
