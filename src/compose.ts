import { randomUUID } from "node:crypto";
import type { HttpHandler, TimerHandler } from "@azure/functions";
import type { App, Composition } from "./app.ts";
import { type Config, readConfig } from "./config.ts";
import { endpoints } from "./endpoints.ts";
import { createFaceService } from "./face/face-service.ts";
import { maintainSessions } from "./functions/maintain-sessions.ts";
import { serve } from "./http/endpoint.ts";
import { createIdentity } from "./identity.ts";
import { createReadiness } from "./liveness/readiness.ts";
import { connectStorage } from "./storage/connect.ts";
import { createDeviceStore } from "./storage/device-store.ts";
import { createImageStore } from "./storage/image-store.ts";
import { createSessionStore } from "./storage/session-store.ts";

/*
 * The composition root: settings → clients → handlers. `main.ts` loads it once, after the functions are registered.
 */

const read = readConfig(process.env);
const composition: Composition = "config" in read ? { app: compose(read.config) } : read;

if ("faults" in composition) {
  // biome-ignore lint/suspicious/noConsole: no invocation is there yet whose log could be used; the host takes this one.
  console.error(
    JSON.stringify({ event: "ServiceNotConfigured", settings: composition.faults.map(({ setting }) => setting) }),
  );
}

/** The handlers of all HTTP functions, by the functions' names. `trueHeaders` is what `watchTrueHeaders` answers. */
export function httpHandlers(trueHeaders: (invocationId: string) => Headers | undefined): Map<string, HttpHandler> {
  return new Map(endpoints.map((endpoint) => [endpoint.name, serve(endpoint, composition, trueHeaders)]));
}

/** The handlers of all timers, by the functions' names. */
export const timerHandlers = new Map<string, TimerHandler>([["maintainSessions", maintainSessions(composition)]]);

function compose(config: Config): App {
  const now = () => Date.now();
  const { face: faceConfig, storage: storageConfig } = config;
  const storage = connectStorage(
    "connectionString" in storageConfig
      ? storageConfig
      : { ...storageConfig, credential: createIdentity(storageConfig.identityClientId) },
  );
  const sessions = createSessionStore(storage);
  const images = createImageStore(storage);
  const face = createFaceService({
    endpoint: faceConfig.endpoint,
    apiVersion: faceConfig.apiVersion,
    credential: faceConfig.key === undefined ? createIdentity(faceConfig.identityClientId) : { key: faceConfig.key },
    timeoutMs: faceConfig.timeoutSeconds * 1000,
  });
  return {
    config,
    face,
    sessions,
    devices: createDeviceStore(storage),
    images,
    readiness: createReadiness({ face, sessions, images, now }),
    rules: config.rules,
    policy: config.policy,
    limits: config.limits,
    retention: config.retention,
    now,
    newId: randomUUID,
  };
}
