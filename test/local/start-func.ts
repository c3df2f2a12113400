import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFile, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { build } from "../../infra/build.ts";
import { StackError } from "./child.ts";
import {
  emulatorUserIdKey,
  receiverSettings,
  type Services,
  type Settings,
  startServices,
  stopServices,
} from "./services.ts";
import { readDataFolder, readPorts } from "./settings.ts";
import { fail, print, stopOnSignals } from "./terminal.ts";

/**
 * `npm run start:func [-- --data DIR]`: the storage and the emulator of `npm start`, with Azure Functions Core Tools as the
 * host. App settings come from local.settings.json, which is created from the sample where it is missing.
 */
const root = resolve(import.meta.dirname, "../..");
const settingsFile = resolve(root, "local.settings.json");
const onWindows = process.platform === "win32";
const settingsShape = z.object({ Values: z.record(z.string(), z.string()).default({}) });

const signals = stopOnSignals();
try {
  const ports = readPorts(process.env);
  const dataFolder = readDataFolder(process.argv.slice(2));
  expectCoreTools();
  const settings = await readSettings();
  await build();
  const services = await startServices({
    ports,
    dataFolder,
    withEmulator: isLoopback(settings.FACE_ENDPOINT),
    receiver: { endpoints: settings.WEBHOOK_ENDPOINTS, onWebhook: print },
  });
  print(describeServices(services));

  const func = spawn(...callFunc("start", "--port", String(ports.app)), {
    cwd: root,
    // For Core Tools, the environment takes precedence over the file.
    env: { ...process.env, ...serviceSettings(settings, services) },
    stdio: "inherit",
  });
  const ended = new Promise<number>((done) => {
    func.once("close", (code) => done(code ?? 0));
    func.once("error", () => done(1));
  });
  signals.whenAsked(async () => {
    endFunc(func);
    await ended;
    await stopServices(services);
  });
  const code = await ended;
  await stopServices(services);
  process.exitCode = code;
} catch (error) {
  fail(error);
}

function expectCoreTools(): void {
  if (spawnSync(...callFunc("--version"), { stdio: "ignore" }).status !== 0) {
    throw new StackError(
      "`func` is not on the PATH. Get Azure Functions Core Tools 4 from https://aka.ms/azfunc-install (or run `npm start`, which needs nothing).",
    );
  }
}

/** Starts `func`. On Windows it may be a batch file, which only the shell can run. */
function callFunc(...args: string[]): [command: string, args: string[]] {
  return onWindows ? [process.env.ComSpec ?? "cmd.exe", ["/d", "/c", "func", ...args]] : ["func", args];
}

function endFunc(func: ChildProcess): void {
  if (!onWindows) {
    func.kill("SIGTERM");
  } else if (func.exitCode === null) {
    // Killing the shell alone would leave `func` running.
    spawnSync("taskkill", ["/pid", String(func.pid), "/t", "/f"], { stdio: "ignore" });
  }
}

/** The app settings of `func`. Creates local.settings.json where it is missing. */
async function readSettings(): Promise<Settings> {
  const content = await readFile(settingsFile, "utf8").catch(async () => {
    await copyFile(resolve(root, "local.settings.sample.json"), settingsFile);
    print("local.settings.json made from local.settings.sample.json.");
    return readFile(settingsFile, "utf8");
  });
  // Core Tools accept a byte order mark, which some editors on Windows add.
  const parsed = settingsShape.safeParse(JSON.parse(content.replace(/^\ufeff/, "")));
  if (!parsed.success) {
    throw new StackError(`${settingsFile} is invalid: ${z.prettifyError(parsed.error)}`);
  }
  return { ...parsed.data.Values, ...process.env };
}

/** Whether the settings use the emulator: they have no endpoint, or one on this machine. */
function isLoopback(endpoint: string | undefined): boolean {
  return !endpoint || ["127.0.0.1", "localhost", "[::1]"].includes(new URL(endpoint).hostname);
}

/** The addresses of this stack's services that the settings use. */
function serviceSettings(settings: Settings, services: Services): Settings {
  const { azurite, emulator } = services;
  const storage = settings.AzureWebJobsStorage;
  const localStorage = !storage || storage.includes("UseDevelopmentStorage=true");
  return {
    ...(localStorage ? { AzureWebJobsStorage: azurite.connectionString } : {}),
    ...(emulator ? { FACE_ENDPOINT: emulator.url, FACE_KEY: emulator.key } : {}),
    ...(emulator && !settings.USER_ID_KEY ? { USER_ID_KEY: emulatorUserIdKey } : {}),
    ...receiverSettings(settings, services),
  };
}

function describeServices({ azurite, emulator, receiver }: Services): string {
  const { blob, queue, table } = azurite.ports;
  const face = emulator ? `the Face emulator on ${emulator.url}` : "no Face emulator (a real endpoint is set)";
  return `Storage (Azurite) on ports ${blob}, ${queue}, ${table}; ${face}; webhooks received on ${receiver?.url}. Starting func …`;
}
