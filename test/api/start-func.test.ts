import assert from "node:assert/strict";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { z } from "zod";
import { stopRequest } from "../local/child.ts";
import { root, runCommand } from "./support/commands.ts";

/*
 * `npm run start:func` with a stand-in for Azure Functions Core Tools. It reads the files of its working folder, its
 * environment, and the services of the settings, and prints them. Then it exits, or keeps running if FUNC_STAYS is set.
 */

const standIn = `
import { existsSync, readFileSync } from "node:fs";
if (process.argv[2] === "--version") process.exit(0);
const read = (name) => JSON.parse(readFileSync(name, "utf8"));
const status = (url) => fetch(url).then((response) => response.status, String);
const settings = { ...read("local.settings.json").Values, ...process.env };
const blobs = /BlobEndpoint=([^;]+)/.exec(settings.AzureWebJobsStorage)?.[1];
process.stdout.write("\\n" + JSON.stringify({
  pid: process.pid,
  args: process.argv.slice(2),
  runtime: settings.FUNCTIONS_WORKER_RUNTIME,
  routePrefix: read("host.json").extensions.http.routePrefix,
  entry: existsSync(read("package.json").main),
  storage: await status(blobs + "?comp=list"),
  face: await status(settings.FACE_ENDPOINT + "/emulator/state"),
}) + "\\n");
if (process.env.FUNC_STAYS) setInterval(() => {}, 1000);
`;

const seenShape = z.object({
  pid: z.number(),
  args: z.array(z.string()),
  runtime: z.string(),
  routePrefix: z.string(),
  entry: z.boolean(),
  storage: z.number(),
  face: z.number(),
});

test("npm run start:func starts func with build, settings and services, and ends with it", async (t) => {
  const { project, tools } = await copyProject();
  const command = startFunc(t, project, tools);

  assert.equal(await command.exited, 0, command.output());
  const { pid: _, ...seen } = await command.funcOutput();
  assert.deepEqual(seen, {
    args: ["start", "--port", "0"],
    runtime: "node",
    routePrefix: "",
    entry: true,
    storage: 403,
    face: 200,
  });
  const [made, sample] = await Promise.all(
    ["local.settings.json", "local.settings.sample.json"].map((name) => readFile(join(project, name), "utf8")),
  );
  assert.equal(made, sample);
});

test("npm run start:func stops func when it is stopped", async (t) => {
  const { project, tools } = await copyProject();
  const command = startFunc(t, project, tools, { FUNC_STAYS: "true" });
  const { pid } = await command.funcOutput();
  command.process.send(stopRequest);
  assert.equal(await command.exited, 0, command.output());
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

/** Copies the part of the project that the command uses, because it writes settings and a build, and adds a `func`. */
async function copyProject(): Promise<{ project: string; tools: string }> {
  const project = await mkdtemp(join(tmpdir(), "start-func-"));
  const needed = ["src", "infra", "test/local", "package.json", "host.json", "local.settings.sample.json"];
  await Promise.all(needed.map((name) => cp(join(root, name), join(project, name), { recursive: true })));
  await symlink(join(root, "node_modules"), join(project, "node_modules"), "junction");

  const tools = join(project, "tools");
  await mkdir(tools);
  await writeFile(join(tools, "func.mjs"), standIn);
  await writeFile(join(tools, "func"), `#!/bin/sh\nexec "${process.execPath}" "${join(tools, "func.mjs")}" "$@"\n`);
  await writeFile(join(tools, "func.cmd"), `@"${process.execPath}" "${join(tools, "func.mjs")}" %*\r\n`);
  await chmod(join(tools, "func"), 0o755);
  return { project, tools };
}

/** Runs the command in that folder; the folder is removed after the test. */
function startFunc(t: TestContext, project: string, tools: string, env: NodeJS.ProcessEnv = {}) {
  const pathName = Object.keys(process.env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  const ports = [
    "PORT",
    "FACE_EMULATOR_PORT",
    "WEBHOOK_RECEIVER_PORT",
    "AZURITE_BLOB_PORT",
    "AZURITE_QUEUE_PORT",
    "AZURITE_TABLE_PORT",
  ];
  const freePorts = Object.fromEntries(ports.map((name) => [name, "0"]));
  const path = { [pathName]: `${tools}${delimiter}${process.env[pathName]}` };
  const command = runCommand(t, "start-func.ts", {
    root: project,
    env: { ...process.env, ...env, ...freePorts, ...path },
  });
  t.after(() => rm(project, { recursive: true, force: true, maxRetries: 5 }));
  return {
    ...command,
    /** The output of `func`. */
    async funcOutput() {
      await command.seen(/^\{.*\}$/m);
      return seenShape.parse(JSON.parse(/^\{.*\}$/m.exec(command.output())?.[0] ?? ""));
    },
  };
}
