import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request as openRequest } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { stopRequest } from "../local/child.ts";
import { findFreePorts } from "../local/ports.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { control, createAppClient } from "./support/app-client.ts";
import { type Command, runCommand } from "./support/commands.ts";
import { listenFor } from "./support/listen-for.ts";
import { until } from "./support/until.ts";

/** The commands of the local stack, and the stack that the other API tests use. */

const key = "the mobile team's key";
const clientKeys = JSON.stringify({ mobile: [createHash("sha256").update(key).digest("hex")] });
const onWindows = process.platform === "win32";
const portNames = [
  "PORT",
  "FACE_EMULATOR_PORT",
  "WEBHOOK_RECEIVER_PORT",
  "AZURITE_BLOB_PORT",
  "AZURITE_QUEUE_PORT",
  "AZURITE_TABLE_PORT",
];

/** Runs a command of the local stack, like a terminal in a process group of its own (not on Windows). */
function run(t: TestContext, script: string, env: NodeJS.ProcessEnv = {}, args: string[] = []): Command {
  const { PATH, HOME } = process.env;
  return runCommand(t, script, { env: { PATH, HOME, ...env }, args, detached: !onWindows });
}

/** `npm start` on free ports, once it is ready. */
async function start(t: TestContext, env: NodeJS.ProcessEnv = {}) {
  const ports = await choosePorts();
  const command = run(t, "start.ts", { ...ports, ...env });
  await command.seen("Ctrl-C ends everything");
  const urls = {
    APP_URL: `http://127.0.0.1:${ports.PORT}`,
    FACE_EMULATOR_URL: `http://127.0.0.1:${ports.FACE_EMULATOR_PORT}`,
    WEBHOOK_RECEIVER_URL: `http://127.0.0.1:${ports.WEBHOOK_RECEIVER_PORT}`,
  };
  return { ports, command, urls };
}

/** Sends SIGINT to the process group, as Ctrl-C does. Windows has no such signal: there the command gets a stop request. */
function pressCtrlC({ process: child }: Command): void {
  if (onWindows) {
    child.send(stopRequest);
  } else {
    process.kill(-(child.pid ?? assert.fail()), "SIGINT");
  }
}

/** Runs lines in bash. Undefined on Windows without the bash of Git. */
function paste(lines: string): { status: number | null; stdout: string; stderr: string } | undefined {
  const bash = onWindows ? findGitBash() : "bash";
  return bash === undefined ? undefined : spawnSync(bash, ["-eu"], { input: lines, encoding: "utf8" });
}

/** The `bash` on the PATH of Windows starts Linux, which has other ports. */
function findGitBash(): string | undefined {
  // Prints …/Git/mingw64/libexec/git-core.
  const { stdout } = spawnSync("git", ["--exec-path"], { encoding: "utf8" });
  const bash = stdout ? resolve(stdout.trim(), "../../../bin/bash.exe") : undefined;
  return bash !== undefined && existsSync(bash) ? bash : undefined;
}

async function choosePorts(): Promise<Record<string, string>> {
  const ports = await findFreePorts(portNames.length);
  return Object.fromEntries(portNames.map((name, index) => [name, String(ports[index])]));
}

async function answers(port: string | number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );
}

async function allGone(ports: Record<string, string | number>): Promise<void> {
  for (const port of Object.values(ports)) {
    await until(async () => !(await answers(port)));
  }
}

/** Status and error code of a request with this Host header. */
async function answerTo(url: string, host: string, method = "GET"): Promise<string> {
  const request = openRequest(url, { method, headers: { host }, agent: false }).end();
  const [response] = await once(request, "response");
  response.resume();
  return `${response.statusCode} ${response.headers["x-ms-error-code"] ?? ""}`.trim();
}

describe("host names (DNS rebinding)", () => {
  const own = ["localhost", "LOCALHOST:1", "127.0.0.1", "127.8.9.10:80", "[::1]", "[::1]:7071"];
  const others = "rebound.example rebound.example:7071 127.0.0.1.example 127.example 192.168.0.1 0.0.0.0".split(" ");

  test("without client keys: loopback names only, in app and emulator; with client keys: any, except on admin routes", async (t) => {
    const stack = await startStack();
    t.after(() => stack.stop());
    const urls = [`${stack.url}/api/health`, `${stack.url}/admin/functions`, `${stack.emulator.url}/emulator/state`];
    for (const url of urls) {
      for (const host of own) assert.equal(await answerTo(url, host), "200", `${url} ${host}`);
      for (const host of others) assert.equal(await answerTo(url, host), "421 MisdirectedRequest", `${url} ${host}`);
    }
    const session = `${stack.emulator.url}/face/v1.2/detectLiveness-sessions`;
    assert.equal(await answerTo(session, "rebound.example", "POST"), "421 MisdirectedRequest");
    assert.equal(await answerTo(session, "localhost", "POST"), "401 Unspecified");
    const { url } = await stack.startAnotherApp({ CLIENT_KEYS: clientKeys, ALLOW_ANONYMOUS: "false" });
    assert.equal(await answerTo(`${url}/api/health`, "tunnel.example"), "200");
    assert.equal(await answerTo(`${url}/ADMIN/functions`, "tunnel.example"), "421 MisdirectedRequest");
  });
});

describe("npm start", () => {
  test("prints commands that work in bash; Ctrl-C ends all processes", async (t) => {
    const { ports, command, urls } = await start(t);
    const calls = /# 1\.[\s\S]*?(?=\n\nnpm run demo)/.exec(command.output())?.[0] ?? "";
    const pasted = paste(calls);
    if (pasted) {
      assert.equal(pasted.status, 0, pasted.stderr);
      const [sessionId = "", played = "", result = "", outcomes = ""] = pasted.stdout.trim().split(/\r?\n/);
      assert.match(played, /"digest"/);
      assert.match(result, /"livenessDecision":"realface"/);
      assert.ok(outcomes.includes(sessionId) && outcomes.includes('"status":"Succeeded"'), outcomes);
    } else {
      t.diagnostic("skipped the printed commands: no bash");
    }

    const demo = run(t, "demo.ts", urls);
    assert.equal(await demo.exited, 0, demo.output());
    assert.match(demo.output(), /realface[\s\S]*signature valid[\s\S]*Done\./);
    assert.doesNotMatch(demo.output(), /eyJ[\w-]{20}/, "no complete token in the output");

    pressCtrlC(command);
    assert.equal(await command.exited, 0, command.output());
    await allGone(ports);
  });

  test("with client keys: the printed commands and the demo use CLIENT_KEY", async (t) => {
    const { ports, command, urls } = await start(t, { CLIENT_KEYS: clientKeys });
    assert.match(command.output(), /curl [^\n]* -H "Ocp-Apim-Subscription-Key: \$CLIENT_KEY"/);
    const [stranger, client] = [run(t, "demo.ts", urls), run(t, "demo.ts", { ...urls, CLIENT_KEY: key })];
    assert.deepEqual(await Promise.all([stranger.exited, client.exited]), [1, 0], client.output());
    assert.match(stranger.output(), /Not as expected: could not create the session: 401/);
    command.process.send(stopRequest);
    assert.equal(await command.exited, 0);
    await allGone(ports);
  });

  const noSignals = onWindows && "on Windows SIGTERM cannot be handled";
  test("SIGTERM ends all processes", { skip: noSignals }, async (t) => {
    const { ports, command } = await start(t);
    command.process.kill("SIGTERM");
    assert.equal(await command.exited, 0);
    await allGone(ports);
  });

  test("its port is in use -> one line, exit code 1, no process left", async (t) => {
    const { PORT = "", ...others } = await choosePorts();
    await listenFor(t, createServer(), Number(PORT));
    const command = run(t, "start.ts", { PORT, ...others });
    assert.equal(await command.exited, 1);
    assert.match(command.output(), new RegExp(`Port ${PORT} for the .* is taken. .* set PORT `));
    assert.doesNotMatch(command.output(), /^\s+at /m);
    await allGone(others);
  });

  test("SIGKILL ends its children as well", async (t) => {
    const { ports, command } = await start(t);
    command.process.kill("SIGKILL");
    await allGone(ports);
  });

  test("invalid arguments and ports -> exit code 1", async (t) => {
    const [argument, port] = [run(t, "start.ts", {}, ["--date", "x"]), run(t, "start.ts", { PORT: "seven" })];
    assert.deepEqual(await Promise.all([argument.exited, port.exited]), [1, 1]);
    assert.match(argument.output(), /^Unknown option '--date'.*--data DIR.*\n$/);
    assert.equal(port.output(), 'PORT must be a port number, not "seven".\n');
  });
});

test("npm run start:func without Core Tools prints where to get them", async (t) => {
  const command = run(t, "start-func.ts", { PATH: "/nonexistent" });
  assert.equal(await command.exited, 1);
  assert.match(command.output(), /^`func` is not on the PATH\. Get Azure Functions Core Tools 4 from https:\S+ .*\n$/);
});

test("npm run demo without a stack -> one line, exit code 1", async (t) => {
  const [port] = await findFreePorts(1);
  const demo = run(t, "demo.ts", { APP_URL: `http://127.0.0.1:${port}` });
  assert.equal(await demo.exited, 1);
  assert.equal(demo.output(), `No answer from http://127.0.0.1:${port}. Is the stack running (npm start)?\n`);
});

describe("the stack", () => {
  test("all its apps share one storage and one clock, also after a restart", async (t) => {
    const stack = await startStack();
    t.after(() => stack.stop());
    const another = createAppClient((await stack.startAnotherApp({ CREATION_LIMIT: "3" })).url);
    const app = createAppClient(stack.url);
    await app.openSession("device");

    const advanceSeconds = 86_400;
    await control(stack.emulator, "/clock", { advanceSeconds });
    await another.openSession("device");
    stack.app.kill("SIGKILL");
    await stack.app.exited;
    await stack.restartApp();
    await app.openSession("device");

    const { value } = await another.outcomes("device");
    const [third = 0, second = 0, first = 0, ...others] = value.map(({ createdOn }) => Date.parse(createdOn));
    assert.equal(others.length, 0);
    assert.ok(second - first >= advanceSeconds * 1000, "the other app's clock has moved");
    assert.ok(third >= second, "and the restarted one's");
  });

  for (const [part, name] of [
    ["emulator", "FACE_EMULATOR_PORT"],
    ["receiver", "WEBHOOK_RECEIVER_PORT"],
    ["table", "AZURITE_TABLE_PORT"],
  ] as const) {
    test(`the port of the ${part} is in use -> StackError with the setting to change, no process left`, async (t) => {
      const [app = 0, emulator = 0, receiver = 0, blob = 0, queue = 0, table = 0] = await findFreePorts(6);
      const { [part]: taken, ...others } = { app, emulator, receiver, blob, queue, table };
      await listenFor(t, createServer(), taken);
      await assert.rejects(startStack({ ports: { ...others, [part]: taken }, webhooks: true }), {
        name: "StackError",
        message: new RegExp(`^Port ${taken} for the .* is taken\\. .* set ${name} `),
      });
      await allGone(others);
    });
  }

  test("settings of the environment win, and dataFolder keeps the data", async (t) => {
    const dataFolder = await mkdtemp(join(tmpdir(), "stack-data-"));
    const stacks: Stack[] = [];
    t.after(async () => {
      await Promise.all(stacks.map((stack) => stack.stop()));
      await rm(dataFolder, { recursive: true, force: true, maxRetries: 5 });
    });
    const first = await startStack({ dataFolder });
    stacks.push(first);
    await createAppClient(first.url).openSession("device");
    await first.stop();

    const second = await startStack({ dataFolder, env: { FACE_ENDPOINT: "http://127.0.0.1:9", FACE_KEY: "unused" } });
    stacks.push(second);
    assert.equal((await createAppClient(second.url).outcomes("device")).value.length, 1);
    assert.deepEqual(
      [second.settings.FACE_ENDPOINT, second.settings.WEBHOOK_ENDPOINTS],
      ["http://127.0.0.1:9", undefined],
    );
    assert.throws(() => second.receiver, /no receiver of webhooks/);
    assert.throws(() => second.emulator, /The real Face service is used/);
  });
});
