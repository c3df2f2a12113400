import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { request as openRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import { describe, type TestContext, test } from "node:test";
import { z } from "zod";
import { type FunctionsHost, startFunctionsHost } from "../local/functions-host/launcher.ts";
import { findFreePorts } from "../local/ports.ts";
import { makeFolder, seen, send, startTinyApp } from "./support/tiny-app.ts";

/** The functions host: start and end, logs, timers, clock, CORS, and the content of app folders. */

test("an unhandled rejection ends the process", async (t) => {
  const host = await startTinyApp(t);
  // The answer may or may not arrive.
  await send(host, "POST", "/crash").catch(() => undefined);
  assert.equal(await host.exited, 1);
  assert.match(host.output(), /critical host: Unhandled rejection: Error: an unhandled rejection/);
});

test("stop() waits for running invocations, runs the hooks and exits with 0", async (t) => {
  const host = await startTinyApp(t);
  const request = openRequest(`${host.url}/things/1`, { method: "POST", agent: false });
  const answered = once(request, "response");
  request.write("begun before, ");
  await seen(host, "a warning");
  const stopped = host.stop();
  const isOpen = () => send(host, "GET", "/").then(Boolean, () => false);
  while (await isOpen());
  request.end("ended after");
  const [answer] = await answered;
  assert.match(await text(answer), /"body":"begun before, ended after"/);
  await stopped;
  assert.equal(await host.exited, 0);
  assert.match(host.output(), /the app has started[\s\S]*the app has ended/);
});

const noSignals = process.platform === "win32" && "on Windows SIGTERM cannot be handled";
test("SIGTERM waits for running invocations, runs the hooks and exits with 0", { skip: noSignals }, async (t) => {
  const host = await startTinyApp(t);
  const slow = send(host, "GET", "/slow");
  await seen(host, "slow has begun");
  host.kill("SIGTERM");
  assert.equal((await slow).body, "done");
  assert.equal(await host.exited, 0);
  assert.match(host.output(), /the app has started[\s\S]*the app has ended/);
});

test("a client that is still sending receives the answer of an app that stopped reading", async (t) => {
  const host = await startTinyApp(t);
  const socket = connect(host.port, "127.0.0.1").setEncoding("utf8");
  t.after(() => socket.destroy());
  const ended = finished(socket);
  const head = "POST /early HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2000000\r\n\r\n";
  socket.write(`${head}${"x".repeat(500_000)}`);
  let answer = "";
  const answered = new Promise<void>((resolve) => {
    socket.on("data", (part) => {
      answer += part;
      if (answer.includes("too much")) resolve();
    });
  });
  await Promise.race([answered, ended]);
  // A host that does not wait has closed the connection before this request ends.
  await send(host, "GET", "/things/special");
  assert.equal(socket.readableEnded, false, answer);
  socket.write("x".repeat(1_500_000));
  await ended;
  assert.match(answer, /^HTTP\/1\.1 413 /);
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
  test("runFunction runs a timer and returns its result", async (t) => {
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

  test("run by their schedule unless disabled", async (t) => {
    const OFTEN_SCHEDULE = "* * * * * *";
    const [running, disabled, none] = await Promise.all([
      startTinyApp(t, { timers: true, env: { OFTEN_SCHEDULE } }),
      startTinyApp(t, { timers: true, env: { OFTEN_SCHEDULE, AzureWebJobs__often__Disabled: "true" } }),
      startTinyApp(t, { timers: false, env: { OFTEN_SCHEDULE } }),
    ]);
    await seen(running, "often has run");
    assert.equal(disabled.output().includes("often has run"), false);
    assert.equal(none.output().includes("often has run"), false);
    assert.deepEqual(await disabled.runFunction("often"), { status: "Succeeded" });
  });

  test("an invalid schedule is an error of that function only", async (t) => {
    const host = await startTinyApp(t, { timers: true, env: { OFTEN_SCHEDULE: "0 99 * * * *" } });
    await seen(host, "The 'often' function is in error: '99' is not a minute");
    assert.equal((await send(host, "GET", "/things/special")).status, 200);
  });
});

test("lists the functions with routes and methods", async (t) => {
  const host = await startTinyApp(t);
  const listed = JSON.parse((await send(host, "GET", "/admin/functions")).body);
  const http = { type: "httpTrigger", disabled: false, route: "things/{id}", methods: ["GET", "POST"] };
  const timer = { type: "timerTrigger", disabled: false, schedule: "0 0 0 1 1 *" };
  assert.deepEqual(listed[0], { name: "echo", ...http });
  assert.deepEqual(listed.at(-1), { name: "often", ...timer });
});

test("the clock offset applies to a running app and to a new one", async (t) => {
  const host = await startTinyApp(t);
  const hour = 3_600_000;
  const ahead = async (target: FunctionsHost) => {
    const [given, ...times] = z
      .array(z.number())
      .parse(JSON.parse((await send(target, "GET", "/now")).body))
      .reverse();
    assert.deepEqual([given, times.length], [5, 3]);
    return times.map((time) => Math.abs(Math.round((time - Date.now()) / hour)));
  };
  assert.deepEqual(await ahead(host), [0, 0, 0]);
  await host.setClockOffset(5 * hour);
  assert.deepEqual(await ahead(host), [5, 5, 5]);
  assert.deepEqual(await ahead(await startTinyApp(t, { clockOffsetMs: 7 * hour })), [7, 7, 7]);
});

describe("CORS by local.settings.json", () => {
  async function startWith(t: TestContext, host: object): Promise<FunctionsHost> {
    const workFolder = await makeFolder("work-");
    await writeFile(join(workFolder, "local.settings.json"), JSON.stringify({ IsEncrypted: false, Host: host }));
    return startTinyApp(t, { workFolder });
  }
  const origin = "https://app.example";
  const preflight = { origin, "access-control-request-method": "PUT", "access-control-request-headers": "x-a,x-b" };

  test("the host answers preflights of listed origins", async (t) => {
    const host = await startWith(t, { CORS: `https://other.example, ${origin}/`, CORSCredentials: true });
    const allowed = await send(host, "OPTIONS", "/things/1", { headers: preflight });
    assert.equal(allowed.status, 204);
    assert.deepEqual(allowed.headers["access-control-allow-origin"], [origin]);
    assert.deepEqual(allowed.headers["access-control-allow-methods"], ["PUT"]);
    assert.deepEqual(allowed.headers["access-control-allow-headers"], ["x-a,x-b"]);
    assert.deepEqual(allowed.headers["access-control-allow-credentials"], ["true"]);
    const evil = { ...preflight, origin: "https://evil.example" };
    const refused = await send(host, "OPTIONS", "/things/1", { headers: evil });
    assert.deepEqual([refused.status, refused.headers["access-control-allow-origin"]], [204, undefined]);
    const get = await send(host, "GET", "/things/special", { headers: { origin } });
    assert.deepEqual([get.body, get.headers["access-control-allow-origin"]], ["special", [origin]]);
  });

  test("* allows any origin, and no setting allows none", async (t) => {
    const open = await startWith(t, { CORS: "*" });
    const allowed = await send(open, "OPTIONS", "/things/1", { headers: preflight });
    assert.deepEqual(allowed.headers["access-control-allow-origin"], ["*"]);
    const closed = await startWith(t, {});
    const unknown = await send(closed, "OPTIONS", "/things/1", { headers: preflight });
    assert.equal(unknown.status, 405, "the app's own answer to OPTIONS");
    assert.equal(unknown.headers["access-control-allow-origin"], undefined);
  });
});

describe("app folders", () => {
  async function makeApp(main: string, host: object = { version: "2.0" }): Promise<string> {
    const appFolder = await makeFolder("app-");
    await writeFile(join(appFolder, "package.json"), JSON.stringify({ main: "main.cjs" }));
    await writeFile(join(appFolder, "host.json"), JSON.stringify(host));
    await writeFile(join(appFolder, "main.cjs"), main);
    return appFolder;
  }

  test("an entry that throws -> no functions, and the log contains the error", async (t) => {
    const host = await startTinyApp(t, { appFolder: await makeApp('throw new Error("bad settings");') });
    assert.match(host.output(), /unable to load entry point "main.cjs": Error: bad settings/);
    assert.match(host.output(), /No functions found/);
    assert.equal((await send(host, "GET", "/things/1")).status, 404);
  });

  test("host.json without a prefix -> api/", async (t) => {
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

  test("a folder without package.json -> StackError", async () => {
    const start = startFunctionsHost({ appFolder: await makeFolder("empty-"), env: {} });
    await assert.rejects(start, { name: "StackError", message: /package.json cannot be read as JSON/ });
  });
});

test("a port in use -> StackError with the setting to change", async (t) => {
  const [port = 0] = await findFreePorts(1);
  await startTinyApp(t, { port });
  await assert.rejects(startTinyApp(t, { port }), {
    name: "StackError",
    message: `Port ${port} for the functions host is taken. Free it, or set PORT to another one.`,
  });
});
