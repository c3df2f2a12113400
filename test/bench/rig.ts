import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request as openRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "../../infra/build.ts";
import { ensureBuilt } from "../local/app-build.ts";
import { type FunctionsHost, startFunctionsHost } from "../local/functions-host/launcher.ts";
import { startServices, stopServices } from "../local/services.ts";
import { type ServiceProxy, startProxy } from "./proxy.ts";

/** The app on the functions host, with a proxy in front of Azurite and one in front of the Face emulator. */
export interface Rig {
  app: FunctionsHost;
  emulator: { url: string; key: string };
  /** The emulator's clock, in milliseconds since the epoch. */
  now(): number;
  /** The proxies of tables and blobs. */
  storage: ServiceProxy[];
  face: ServiceProxy;
  /** Folder of the built app. */
  appFolder: string;
  /** Starts another app on the same services. `env` is added to the settings. It stops with the rig. */
  startApp(appFolder: string, env?: Record<string, string>): Promise<FunctionsHost>;
  /** Starts an app on the same Face service that only forwards creations, with the same client library. */
  startBareApp(): Promise<FunctionsHost>;
  /** Builds an app of `fixtures/` and returns its folder. */
  buildFixture(name: "bare-app" | "empty-app"): Promise<string>;
  stop(): Promise<void>;
}

export async function startRig(): Promise<Rig> {
  const apps: FunctionsHost[] = [];
  const folders: string[] = [];
  const appFolder = await ensureBuilt();
  let clockOffsetMs = 0;
  const now = () => Date.now() + clockOffsetMs;
  const moveClocks = async (offsetMs: number) => {
    clockOffsetMs = offsetMs;
    await Promise.all(apps.map((host) => host.setClockOffset(offsetMs)));
  };
  const services = await startServices({ withEmulator: true, onClock: moveClocks });
  const { azurite, emulator } = services;
  if (emulator === undefined) throw new Error("There is no emulator.");
  const face = await startProxy(emulator.url);
  const storage: ServiceProxy[] = [];
  let connectionString = azurite.connectionString;
  for (const endpoint of connectionString.match(/(?<=(?:Blob|Table)Endpoint=)[^;]+/g) ?? []) {
    const proxy = await startProxy(endpoint);
    storage.push(proxy);
    connectionString = connectionString.replace(endpoint, proxy.url);
  }
  const settings = {
    FUNCTIONS_WORKER_RUNTIME: "node",
    AzureWebJobsStorage: connectionString,
    FACE_ENDPOINT: face.url,
    FACE_KEY: emulator.key,
    ALLOW_ANONYMOUS: "true",
    CREATION_LIMIT: "1000",
    MAINTENANCE_FACE_CALLS_PER_SECOND: "1000",
    // `cpuMicroseconds` reads this probe of each app.
    NODE_OPTIONS: `--import=${pathToFileURL(`${import.meta.dirname}/usage-probe.ts`).href}`,
  };

  async function startApp(folder: string, env: Record<string, string> = {}): Promise<FunctionsHost> {
    const host = await startFunctionsHost({ appFolder: folder, env: { ...settings, ...env }, timers: false });
    apps.push(host);
    return host;
  }

  async function buildFixture(name: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "bench-"));
    folders.push(folder);
    const entry = join(import.meta.dirname, `fixtures/${name}.ts`);
    return (await build({ entry, outFolder: join(folder, name) })).outFolder;
  }

  const startBareApp = async () => startApp(await buildFixture("bare-app"));

  async function stop(): Promise<void> {
    await Promise.all(apps.map((host) => host.stop()));
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true, maxRetries: 5 })));
    await Promise.all([face, ...storage].map((proxy) => proxy.close()));
    await stopServices(services);
  }

  try {
    const app = await startApp(appFolder);
    return { app, appFolder, emulator, now, storage, face, startApp, startBareApp, buildFixture, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** CPU time of the app's process so far, of all threads, in microseconds. */
export async function cpuMicroseconds(host: FunctionsHost): Promise<number> {
  const probe = /usage-probe (\S+)/.exec(host.output())?.[1];
  if (probe === undefined) throw new Error("The app runs without its probe.");
  const { cpuMicroseconds: used } = JSON.parse((await send(probe)).body);
  return Number(used);
}

const agent = new Agent({ keepAlive: true });

export interface Answer {
  status: number;
  body: string;
}

/** Sends one request on a kept-alive connection with little overhead. With a body it is a POST. */
export function send(url: string, json?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const request = openRequest(url, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...(body && { "content-type": "application/json", "content-length": String(body.byteLength) }),
        ...headers,
      },
      agent,
    });
    request.on("error", reject);
    request.on("response", async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve({ status: response.statusCode ?? 0, body: text });
    });
    request.end(body);
  });
}

/** Opens a liveness session. `fields` are added to the request. Throws unless the answer is 200. */
export async function createSession(host: { url: string }, deviceCorrelationId: string, fields: object = {}) {
  const answer = await send(`${host.url}/face/v1.2/detectLiveness-sessions`, {
    livenessOperationMode: "Passive",
    deviceCorrelationId,
    ...fields,
  });
  if (answer.status !== 200) throw new Error(`The session was not created: ${answer.status} ${answer.body}`);
  const { sessionId, authToken } = JSON.parse(answer.body);
  return { sessionId: String(sessionId), authToken: String(authToken) };
}
