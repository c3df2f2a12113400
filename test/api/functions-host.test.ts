import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as openRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { build } from "../../infra/build.ts";
import { type FunctionsHost, type FunctionsHostOptions, startFunctionsHost } from "../local/functions-host/launcher.ts";
import { findFreePorts } from "../local/ports.ts";

const echoShape = z.object({
  method: z.string(),
  url: z.string(),
  params: z.record(z.string(), z.string()),
  query: z.array(z.tuple([z.string(), z.string()])),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});

let folder: string;
let tinyApp: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "functions-host-"));
  const entry = join(import.meta.dirname, "../fixtures/tiny-app/main.ts");
  ({ outFolder: tinyApp } = await build({ entry, outFolder: join(folder, "tiny-app") }));
});
after(() => rm(folder, { recursive: true, force: true }));

async function startTinyApp(t: TestContext, options: Partial<FunctionsHostOptions> = {}): Promise<FunctionsHost> {
  const host = await startFunctionsHost({
    appFolder: tinyApp,
    timers: false,
    ...options,
    env: { STREAMING: "true", OFTEN_SCHEDULE: "0 0 0 1 1 *", ...options.env },
  });
  t.after(() => host.stop());
  return host;
}

interface RawAnswer {
  status: number;
  headers: NodeJS.Dict<string[]>;
  body: string;
}

/** A request as it is told: `fetch` would tidy up the path and refuse some headers. */
function send(
  host: FunctionsHost,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string; chunked?: boolean } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const length = options.body === undefined || options.chunked ? {} : { "content-length": `${options.body.length}` };
    const request = openRequest(host.url, { method, path, headers: { ...options.headers, ...length }, agent: false });
    request.on("error", reject);
    request.on("response", async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) {
        chunks.push(chunk);
      }
      const body = Buffer.concat(chunks).toString();
      resolve({ status: response.statusCode ?? 0, headers: response.headersDistinct, body });
    });
    if (options.chunked) {
      request.write(options.body ?? "");
      request.end();
    } else {
      request.end(options.body);
    }
  });
}

async function echo(host: FunctionsHost, method: string, path: string, options?: Parameters<typeof send>[3]) {
  const answer = await send(host, method, path, options);
  assert.equal(answer.status, 200, answer.body);
  return echoShape.parse(JSON.parse(answer.body));
}

/** Waits until the host has written it; the test's own time limit ends the wait. */
async function seen(host: FunctionsHost, text: string | RegExp): Promise<void> {
  while (!(typeof text === "string" ? host.output().includes(text) : text.test(host.output()))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const STREAMING of ["true", "false"]) {
  describe(STREAMING === "true" ? "an app that streams" : "an app that does not stream", () => {
    const start = (t: TestContext, options: Partial<FunctionsHostOptions> = {}) =>
      startTinyApp(t, { ...options, env: { STREAMING, ...options.env } });

    test("gets method, route values, query, headers and body", async (t) => {
      const host = await start(t);
      const got = await echo(host, "POST", "/things/a%20b%2Fc?x=1&x=2&y=%26", {
        headers: { "X-Mixed-Case": "kept", "content-type": "text/plain" },
        body: "the body",
      });
      assert.equal(got.method, "POST");
      assert.equal(got.params.id, "a b%2Fc", "everything but the slash is decoded");
      assert.equal(new URL(got.url).host, new URL(host.url).host);
      assert.equal(new URL(got.url).searchParams.get("y"), "&");
      assert.equal(got.headers["x-mixed-case"], "kept");
      assert.equal(got.headers["content-length"], "8");
      assert.equal(got.body, "the body");
    });

    test("is found by the most specific route that has the method", async (t) => {
      const host = await start(t);
      const outcomes = await Promise.all(
        [
          ["GET", "/things/special"],
          ["GET", "/THINGS/Special/"],
          ["POST", "/things/special"],
          ["PUT", "/things/special"],
          ["GET", "/things/one/two"],
          ["GET", "/things"],
          ["GET", "/things//"],
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
        ["GET", "/things//", 405, '{"rest":null}'],
        ["GET", "/other", 404, ""],
        ["POST", "/throws", 404, ""],
      ]);
    });

    test("that throws is an empty 500, and the log says why", async (t) => {
      const host = await start(t);
      const { status, body } = await send(host, "GET", "/throws");
      assert.deepEqual([status, body], [500, ""]);
      assert.match(host.output(), /error throws: GET \/throws failed .*thrown on purpose/);
    });

    test("sets several cookies", async (t) => {
      const host = await start(t);
      const { status, headers } = await send(host, "GET", "/cookies");
      assert.equal(status, 201);
      const cookies = (headers["set-cookie"] ?? []).map((cookie) => cookie.toLowerCase());
      assert.deepEqual(cookies, ["one=1; path=/; httponly", "two=2; samesite=strict"]);
    });

    test("can register nothing after its start", async (t) => {
      const host = await start(t);
      assert.equal((await send(host, "POST", "/registerLate")).status, 500);
      assert.match(host.output(), /A function can only be registered during app startup/);
      assert.equal((await send(host, "GET", "/late")).status, 404);
    });

    test("answers what it makes piece by piece", async (t) => {
      const host = await start(t);
      assert.equal((await send(host, "GET", "/parts")).body, "one two three");
    });
  });
}

test("a body of unknown length reaches the app only where it streams", async (t) => {
  const [streaming, buffered] = await Promise.all([
    startTinyApp(t, { env: { STREAMING: "true" } }),
    startTinyApp(t, { env: { STREAMING: "false" } }),
  ]);
  const body = "no length told";
  assert.equal((await echo(streaming, "POST", "/things/1", { body, chunked: true })).body, body);
  assert.equal((await echo(buffered, "POST", "/things/1", { body, chunked: true })).body, "");
});

test("a streaming app may answer before it has read the body", async (t) => {
  const host = await startTinyApp(t);
  const { status, body } = await send(host, "POST", "/early", { body: "x".repeat(2_000_000) });
  assert.deepEqual([status, body], [413, "too much"]);
  assert.equal((await send(host, "GET", "/things/special")).status, 200);
});

test("connection headers stay on their connection", async (t) => {
  const host = await startTinyApp(t);
  const { headers } = await send(host, "GET", "/things/1");
  assert.equal(headers["x-answered-by"], undefined, "named by the app's own connection header");
});

test("a streaming function that returns nothing is a 500 and a loud line, not a wait without end", async (t) => {
  const host = await startTinyApp(t);
  assert.equal((await send(host, "GET", "/silent")).status, 500);
  assert.match(host.output(), /error silent: .*The function returned nothing/);
  const buffered = await startTinyApp(t, { env: { STREAMING: "false" } });
  assert.equal((await send(buffered, "GET", "/silent")).status, 204);
});

test("with streaming, a caller's own Headers take the place of the request's, as in the real host", async (t) => {
  const host = await startTinyApp(t);
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
  assert.deepEqual(route.params, { id: "1", other: "3" }, "the route's values win");
});

test("paths are read as the real host's web server reads them", async (t) => {
  const host = await startTinyApp(t);
  assert.equal((await echo(host, "GET", "/things/%C3%A9%F0%9F%99%82")).params.id, "é🙂");
  assert.equal((await echo(host, "GET", "/things/%FF%41")).params.id, "%FFA", "ill-formed bytes stay encoded");
  assert.equal((await echo(host, "GET", "/x/%2e%2E/things/./1")).params.id, "1");
  assert.equal((await send(host, "GET", "/things/a%00b")).status, 400);
  assert.equal((await echo(host, "GET", "http://elsewhere.example/things/1?q=1")).params.id, "1");
});

test("an unhandled rejection ends the process", async (t) => {
  const host = await startTinyApp(t);
  assert.equal((await send(host, "POST", "/crash")).status, 202);
  assert.equal(await host.exited, 1);
  assert.match(host.output(), /critical host: Unhandled rejection: Error: nobody catches this/);
});

test("SIGTERM lets a running invocation end, runs the hooks and exits with 0", async (t) => {
  const host = await startTinyApp(t);
  const slow = send(host, "GET", "/slow");
  await seen(host, "slow has begun");
  host.kill("SIGTERM");
  assert.equal((await slow).body, "done");
  assert.equal(await host.exited, 0);
  assert.match(host.output(), /the app has started[\s\S]*the app has ended/);
});

test("logs one line per entry, from level information up", async (t) => {
  const host = await startTinyApp(t);
  await send(host, "GET", "/things/1?secret=1");
  await seen(host, "information echo: GET /things/1 200 in");
  const lines = host.output().split("\n");
  const warning = lines.find((line) => line.includes("a warning"));
  assert.match(warning ?? "", /^\d{4}-\d\d-\d\dT[\d:.]+Z warning echo: a warning\\nof two lines$/);
  assert.equal(host.output().includes("a debug line"), false);
  assert.equal(host.output().includes("secret"), false);
});

describe("timers", () => {
  test("run by hand, and tell how it went", async (t) => {
    const host = await startTinyApp(t);
    assert.deepEqual(await host.runFunction("yearly"), { status: "Succeeded" });
    await seen(host, 'yearly has ["isPastDue","schedule","scheduleStatus"], past due: false');
    await host.stop();
    const failing = await startTinyApp(t, { env: { YEARLY_FAILS: "true" } });
    assert.deepEqual(await failing.runFunction("YEARLY"), { status: "Failed", error: "yearly fails" });
    assert.equal((await send(failing, "POST", "/admin/functions/yearly")).status, 202);
    await assert.rejects(failing.runFunction("echo"), /400/);
    await assert.rejects(failing.runFunction("nothing"), /404/);
  });

  test("run by their schedule unless they are disabled", async (t) => {
    const OFTEN_SCHEDULE = "* * * * * *";
    const [running, disabled, none] = await Promise.all([
      startTinyApp(t, { timers: true, env: { OFTEN_SCHEDULE } }),
      startTinyApp(t, { timers: true, env: { OFTEN_SCHEDULE, AzureWebJobs__often__Disabled: "true" } }),
      startTinyApp(t, { timers: false, env: { OFTEN_SCHEDULE } }),
    ]);
    await seen(running, /often has run[\s\S]*often has run/);
    assert.equal(disabled.output().includes("often has run"), false);
    assert.equal(none.output().includes("often has run"), false);
    assert.deepEqual(await disabled.runFunction("often"), { status: "Succeeded" });
  });

  test("with a bad schedule are in error, and the rest of the app runs", async (t) => {
    const host = await startTinyApp(t, { timers: true, env: { OFTEN_SCHEDULE: "0 99 * * * *" } });
    await seen(host, "The 'often' function is in error: '99' is not a minute");
    assert.equal((await send(host, "GET", "/things/special")).status, 200);
  });
});

test("lists the functions with routes and methods", async (t) => {
  const host = await startTinyApp(t);
  const listed = JSON.parse((await send(host, "GET", "/admin/functions")).body);
  assert.deepEqual(listed[0], {
    name: "echo",
    type: "httpTrigger",
    disabled: false,
    route: "things/{id}",
    methods: ["GET", "POST"],
  });
  assert.deepEqual(listed.at(-1), {
    name: "often",
    type: "timerTrigger",
    disabled: false,
    schedule: "0 0 0 1 1 *",
  });
});

test("the parent moves the app's clock, now and from the start", async (t) => {
  const host = await startTinyApp(t);
  const hour = 3_600_000;
  const ahead = async (target: FunctionsHost) => {
    const [now = 0, constructed = 0, called = 0, given] = z
      .array(z.number())
      .parse(JSON.parse((await send(target, "GET", "/now")).body));
    assert.equal(given, 5);
    return [now, constructed, called].map((time) => Math.round((time - Date.now()) / hour));
  };
  assert.deepEqual(await ahead(host), [0, 0, 0]);
  await host.setClockOffset(5 * hour);
  assert.deepEqual(await ahead(host), [5, 5, 5]);
  assert.deepEqual(await ahead(await startTinyApp(t, { clockOffsetMs: 7 * hour })), [7, 7, 7]);
});

describe("CORS by local.settings.json", () => {
  async function startWith(t: TestContext, host: object): Promise<FunctionsHost> {
    const workFolder = await mkdtemp(join(folder, "work-"));
    await writeFile(join(workFolder, "local.settings.json"), JSON.stringify({ IsEncrypted: false, Host: host }));
    return startTinyApp(t, { workFolder });
  }
  const origin = "https://app.example";
  const preflight = { origin, "access-control-request-method": "PUT", "access-control-request-headers": "x-a,x-b" };

  test("answers preflights of listed origins, the app sees none", async (t) => {
    const host = await startWith(t, { CORS: `https://other.example, ${origin}/`, CORSCredentials: true });
    const allowed = await send(host, "OPTIONS", "/things/1", { headers: preflight });
    assert.equal(allowed.status, 204);
    assert.deepEqual(allowed.headers["access-control-allow-origin"], [origin]);
    assert.deepEqual(allowed.headers["access-control-allow-methods"], ["PUT"]);
    assert.deepEqual(allowed.headers["access-control-allow-headers"], ["x-a,x-b"]);
    assert.deepEqual(allowed.headers["access-control-allow-credentials"], ["true"]);
    const refused = await send(host, "OPTIONS", "/things/1", {
      headers: { ...preflight, origin: "https://evil.example" },
    });
    assert.deepEqual([refused.status, refused.headers["access-control-allow-origin"]], [204, undefined]);
    const get = await send(host, "GET", "/things/special", { headers: { origin } });
    assert.deepEqual([get.body, get.headers["access-control-allow-origin"]], ["special", [origin]]);
  });

  test("allows everybody with *, and nobody without the setting", async (t) => {
    const everybody = await startWith(t, { CORS: "*" });
    const allowed = await send(everybody, "OPTIONS", "/things/1", { headers: preflight });
    assert.deepEqual(allowed.headers["access-control-allow-origin"], ["*"]);
    const nobody = await startWith(t, {});
    const unknown = await send(nobody, "OPTIONS", "/things/1", { headers: preflight });
    assert.equal(unknown.status, 405, "the app's own answer to OPTIONS");
    assert.equal(unknown.headers["access-control-allow-origin"], undefined);
  });
});

describe("an app folder", () => {
  async function makeApp(main: string, host: object = { version: "2.0" }): Promise<string> {
    const appFolder = await mkdtemp(join(folder, "app-"));
    await mkdir(appFolder, { recursive: true });
    await writeFile(join(appFolder, "package.json"), JSON.stringify({ main: "main.cjs" }));
    await writeFile(join(appFolder, "host.json"), JSON.stringify(host));
    await writeFile(join(appFolder, "main.cjs"), main);
    return appFolder;
  }

  test("whose entry throws before it registers anything has no functions, and the log says why", async (t) => {
    const host = await startTinyApp(t, { appFolder: await makeApp('throw new Error("bad settings");') });
    assert.match(host.output(), /unable to load entry point "main.cjs": Error: bad settings/);
    assert.match(host.output(), /No functions found/);
    assert.equal((await send(host, "GET", "/things/1")).status, 404);
  });

  test("whose host.json names no prefix has api/", async (t) => {
    const main = `
      const core = require("@azure/functions-core");
      core.setProgrammingModel({
        name: "own", version: "1",
        getInvocationModel: (context) => ({
          getArguments: async () => ({ context, inputs: [] }),
          invokeFunction: async (_context, _inputs, handler) => handler(),
          getResponse: async (_context, result) => ({ returnValue: { http: { statusCode: "200", body: { string: result } } } }),
        }),
      });
      const bindings = { trigger: { type: "httpTrigger", direction: "in", route: "hello" } };
      core.registerFunction({ name: "hello", bindings }, () => "hello");
    `;
    const host = await startTinyApp(t, { appFolder: await makeApp(main) });
    assert.equal((await send(host, "GET", "/hello")).status, 404);
    assert.equal((await send(host, "GET", "/api/hello")).body, "hello");
  });

  test("that is not one is told at once", async () => {
    const start = startFunctionsHost({ appFolder: folder, env: {} });
    await assert.rejects(start, { name: "StackError", message: /package.json cannot be read as JSON/ });
  });
});

test("a taken port is a clear message", async (t) => {
  const [port = 0] = await findFreePorts(1);
  await startTinyApp(t, { port });
  await assert.rejects(startTinyApp(t, { port }), {
    name: "StackError",
    message: `Port ${port} for the functions host is taken. Free it, or set PORT to another one.`,
  });
});
