import assert from "node:assert/strict";
import { request as openRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import type { FunctionsHost } from "../local/functions-host/launcher.ts";
import { echo, seen, send, startHost, startTinyApp } from "./support/tiny-app.ts";

/** The way of requests to a function, and of its answers back. */

/** The hosts of the two kinds of app, which most tests of this file share. */
const hosts = new Map<string, Promise<FunctionsHost>>();
const hostWith = (STREAMING: string) => {
  const host = hosts.get(STREAMING) ?? startHost({ env: { STREAMING } });
  hosts.set(STREAMING, host);
  return host;
};
after(() => Promise.all([...hosts.values()].map(async (host) => (await host).stop())));

for (const STREAMING of ["true", "false"]) {
  describe(STREAMING === "true" ? "an app that streams" : "an app that does not stream", () => {
    let host: FunctionsHost;
    before(async () => {
      host = await hostWith(STREAMING);
    });

    test("receives method, route values, query, headers and body", async () => {
      const got = await echo(host, "POST", "/things/a%20b%2Fc?x=1&x=2&y=%26", {
        headers: { "X-Mixed-Case": "kept", "content-type": "text/plain" },
        body: "the body",
      });
      assert.equal(got.method, "POST");
      assert.equal(got.params.id, "a b%2Fc", "all but the slash is decoded");
      assert.equal(new URL(got.url).host, new URL(host.url).host);
      assert.equal(new URL(got.url).searchParams.get("y"), "&");
      assert.equal(got.headers["x-mixed-case"], "kept");
      assert.equal(got.headers["content-length"], "8");
      assert.equal(got.body, "the body");
    });

    test("the most specific route with the method wins", async () => {
      const outcomes = await Promise.all(
        [
          ["GET", "/things/special"],
          ["GET", "/THINGS/Special/"],
          ["POST", "/things/special"],
          ["PUT", "/things/special"],
          ["GET", "/things/one/two"],
          ["GET", "/things"],
          ["GET", "/things//"],
          ["GET", "//things/special"],
          ["GET", "/other"],
          ["POST", "/throws"],
        ].map(async ([method = "", path = ""]) => {
          const { status, headers, body } = await send(host, method, path);
          return [method, path, status, headers["x-answered-by"]?.[0] ?? body];
        }),
      );
      assert.deepEqual(outcomes, [
        ["GET", "/things/special", 200, "special"],
        ["GET", "/THINGS/Special/", 200, "special"],
        ["POST", "/things/special", 200, "echo"],
        ["PUT", "/things/special", 405, '{"rest":"special"}'],
        ["GET", "/things/one/two", 405, '{"rest":"one/two"}'],
        ["GET", "/things", 405, '{"rest":null}'],
        ["GET", "/things//", 404, ""],
        ["GET", "//things/special", 404, ""],
        ["GET", "/other", 404, ""],
        ["POST", "/throws", 404, ""],
      ]);
    });

    test("a function that throws -> empty 500, and a log line with the error", async () => {
      const { status, body } = await send(host, "GET", "/throws");
      assert.deepEqual([status, body], [500, ""]);
      await seen(host, /error throws: GET \/throws failed .*thrown on purpose/);
    });

    test("several cookies", async () => {
      const { status, headers } = await send(host, "GET", "/cookies");
      assert.equal(status, 201);
      const cookies = (headers["set-cookie"] ?? []).map((cookie) => cookie.toLowerCase());
      assert.deepEqual(cookies, ["one=1; path=/; httponly", "two=2; samesite=strict"]);
    });

    test("no registration after the start", async () => {
      assert.equal((await send(host, "POST", "/registerLate")).status, 500);
      await seen(host, /A function can only be registered during app startup/);
      assert.equal((await send(host, "GET", "/late")).status, 404);
    });

    test("a body in pieces", async () => {
      assert.equal((await send(host, "GET", "/parts")).body, "one two three");
    });
  });
}

test("a body without content-length reaches only an app that streams", async () => {
  const [streaming, buffered] = await Promise.all([hostWith("true"), hostWith("false")]);
  const body = "no content-length";
  assert.equal((await echo(streaming, "POST", "/things/1", { body, chunked: true })).body, body);
  assert.equal((await echo(buffered, "POST", "/things/1", { body, chunked: true })).body, "");
});

test("a streaming app may answer before it reads the body", async () => {
  const host = await hostWith("true");
  const { status, body } = await send(host, "POST", "/early", { body: "x".repeat(2_000_000) });
  assert.deepEqual([status, body], [413, "too much"]);
  assert.equal((await send(host, "GET", "/things/special")).status, 200);
});

test("connection headers are not forwarded", async () => {
  const host = await hostWith("true");
  const { headers } = await send(host, "GET", "/things/special");
  assert.deepEqual([headers["x-hop"], headers["keep-alive"], headers.connection], [undefined, undefined, ["close"]]);
});

test("a streaming function that returns nothing -> 500 and a log line", async () => {
  const host = await hostWith("true");
  assert.equal((await send(host, "GET", "/silent")).status, 500);
  await seen(host, /error silent: .*The function returned nothing/);
  const buffered = await hostWith("false");
  assert.equal((await send(buffered, "GET", "/silent")).status, 204);
});

test("with streaming, a Headers property of the caller replaces the headers, as in the real host", async () => {
  const host = await hostWith("true");
  const forged = JSON.stringify({ "x-forged": "yes" });
  const byQuery = await echo(host, "GET", `/things/1?Headers=${encodeURIComponent(forged)}`);
  assert.deepEqual(byQuery.headers, { "x-forged": "yes" });
  const byBody = await echo(host, "POST", "/things/1", {
    headers: { "content-type": "application/json" },
    body: `{"Headers":${forged}}`,
  });
  assert.equal(byBody.headers["x-forged"], "yes");
  assert.equal(byBody.headers.host, undefined);
  const route = await echo(host, "GET", "/things/1?id=2&other=3");
  assert.deepEqual(route.params, { id: "1", other: "3" }, "route values win");
});

test("paths are decoded as by the real host's web server", async () => {
  const host = await hostWith("true");
  assert.equal((await echo(host, "GET", "/things/%C3%A9%F0%9F%99%82")).params.id, "é🙂");
  assert.equal((await echo(host, "GET", "/things/%FF%41")).params.id, "%FFA", "invalid UTF-8 stays encoded");
  assert.equal((await echo(host, "GET", "/x/%2e%2E/things/./1")).params.id, "1");
  for (const headers of [{ host: "a b" }, { host: "a/b" }, { host: "a:99999" }]) {
    assert.equal((await send(host, "GET", "/things/1", { headers })).status, 400, headers.host);
  }
  assert.equal((await echo(host, "GET", "http://elsewhere.example/things/1?q=1")).params.id, "1");
});

test("a client that disconnects does no harm", async (t) => {
  const host = await startTinyApp(t);
  for (const type of ["application/json", "text/plain"]) {
    const request = openRequest(`${host.url}/things/1`, {
      method: "POST",
      headers: { "content-type": type, "content-length": 100 },
    });
    const failed = new Promise((resolve) => request.once("error", resolve));
    request.write("{", () => request.destroy(new Error("gone")));
    await failed;
  }
  assert.equal((await send(host, "GET", "/things/special")).status, 200);
  assert.doesNotMatch(host.output(), / (error|critical) /);
});
