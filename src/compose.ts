import { randomUUID } from "node:crypto";
import type { TimerHandler } from "@azure/functions";
import type { App, Composition } from "./app.ts";
import { type Config, readConfig } from "./config.ts";
import { endpoints } from "./endpoints.ts";
import { createFaceService } from "./face/client/face-service.ts";
import { maintainSessions } from "./functions/maintain-sessions.ts";
import { type RequestHandler, serve } from "./http/endpoint.ts";
import { describeError } from "./http/log.ts";
import { createIdentity } from "./identity.ts";
import { createReadiness } from "./liveness/readiness.ts";
import { connectStorage } from "./storage/azure/connect.ts";
import { createTableStores } from "./storage/create-stores.ts";
import { createBookmarks } from "./storage/stores/bookmarks.ts";
import { createImages } from "./storage/stores/images.ts";
import { observeHttp, observeServices, observeTimer } from "./telemetry/observe.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/*
 * The composition root: settings → clients → handlers. `main.ts` loads it once, after the functions are registered.
 */

const now = () => Date.now();

/** The handlers of all functions, by the functions' names, and what is to be done when the platform ends the process. */
export interface Handlers {
  http: ReadonlyMap<string, RequestHandler>;
  timer: ReadonlyMap<string, TimerHandler>;
  terminate(): Promise<void>;
}

export async function composeHandlers(): Promise<Handlers> {
  const read = readConfig(process.env);
  if ("faults" in read) {
    // No invocation is there yet whose log could be used.
    logToHost({ event: "ServiceNotConfigured", settings: read.faults.map(({ setting }) => setting) });
    return handlersOf(read, undefined);
  }
  const telemetry = await connectTelemetry(read.config);
  return handlersOf({ app: compose(read.config, telemetry) }, telemetry);
}

function handlersOf(composition: Composition, telemetry: Telemetry | undefined): Handlers {
  const http = endpoints.map((endpoint): [string, RequestHandler] => {
    const handler = serve(endpoint, composition);
    return [endpoint.name, telemetry === undefined ? handler : observeHttp(telemetry, handler)];
  });
  const maintain = maintainSessions(composition);
  const timer = telemetry === undefined ? maintain : observeTimer(telemetry, maintain);
  return {
    http: new Map(http),
    timer: new Map([["maintainSessions", timer]]),
    terminate: async () => telemetry?.shutdown(),
  };
}

/** Loaded only if configured. The app works without telemetry: a failure is logged and stops nothing. */
async function connectTelemetry({ telemetry, face, storage }: Config): Promise<Telemetry | undefined> {
  if (telemetry === undefined) return undefined;
  try {
    const { startTelemetry } = await import("./telemetry/start-telemetry.ts");
    const { identity, instance, ...options } = telemetry;
    return startTelemetry({
      ...options,
      ...(instance !== undefined && { instance }),
      ...(identity && { credential: createIdentity(identity.clientId) }),
      targets: {
        face: new URL(face.endpoint).host,
        tables: "tableUri" in storage ? new URL(storage.tableUri).host : "tables",
        blobs: "blobUri" in storage ? new URL(storage.blobUri).host : "blobs",
      },
      now,
      onFailure: (message) => logToHost({ event: "TelemetryFailed", message }),
    });
  } catch (error) {
    logToHost({ event: "TelemetryFailed", ...describeError(error) });
    return undefined;
  }
}

function logToHost(line: object): void {
  // biome-ignore lint/suspicious/noConsole: the host takes what is written here for its own log.
  console.error(JSON.stringify(line));
}

function compose(config: Config, telemetry: Telemetry | undefined): App {
  const { face: faceConfig, storage: storageConfig } = config;
  const storage = connectStorage({
    ...("connectionString" in storageConfig
      ? storageConfig
      : { ...storageConfig, credential: createIdentity(storageConfig.identityClientId) }),
    ...(telemetry && { retryPolicy: { onRequest: telemetry.observeRequest } }),
  });
  const connected = {
    face: createFaceService({
      endpoint: faceConfig.endpoint,
      apiVersion: faceConfig.apiVersion,
      credential: faceConfig.key === undefined ? createIdentity(faceConfig.identityClientId) : { key: faceConfig.key },
      timeoutMs: faceConfig.timeoutSeconds * 1000,
      ...(telemetry && { onRequest: telemetry.observeRequest }),
    }),
    ...createTableStores(storage),
    images: createImages(storage),
    bookmarks: createBookmarks(storage),
  };
  const services = telemetry === undefined ? connected : observeServices(connected, telemetry);
  return {
    ...services,
    config,
    readiness: createReadiness({ ...services, now }),
    rules: config.rules,
    policy: config.policy,
    limits: config.limits,
    retention: config.retention,
    now,
    newId: randomUUID,
    ...(telemetry && { telemetry }),
  };
}
