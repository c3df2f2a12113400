import { randomUUID } from "node:crypto";
import { app as functions } from "@azure/functions";
import type { App, Composition } from "./app.ts";
import { type Config, readConfig } from "./config.ts";
import { endpoints } from "./endpoints.ts";
import { createFaceService } from "./face/face-service.ts";
import { maintainSessions, maintenanceSchedule } from "./functions/maintain-sessions.ts";
import { serve } from "./http/endpoint.ts";
import { watchTrueHeaders } from "./http/true-headers.ts";
import { createIdentity } from "./identity.ts";
import { createReadiness } from "./liveness/readiness.ts";
import { connectStorage } from "./storage/connect.ts";
import { createDeviceStore } from "./storage/device-store.ts";
import { createImageStore } from "./storage/image-store.ts";
import { createSessionStore } from "./storage/session-store.ts";

/*
 * The composition root: settings → clients → registrations. Every function registers whatever the settings are, since a
 * host that finds no functions tells nobody why.
 */

const read = readConfig(process.env);
const composition: Composition = "config" in read ? { app: compose(read.config) } : read;

if ("faults" in composition) {
  // biome-ignore lint/suspicious/noConsole: no invocation is there yet whose log could be used; the host takes this one.
  console.error(
    JSON.stringify({ event: "ServiceNotConfigured", settings: composition.faults.map(({ setting }) => setting) }),
  );
}

// Without streaming the host drops the body of a chunked request.
functions.setup({ enableHttpStream: true });
const trueHeaders = watchTrueHeaders();
for (const endpoint of endpoints) {
  const { name, methods, route } = endpoint;
  // Anonymous for the host: its own 401 has no body, and it does not know the header that Face clients send.
  functions.http(name, { methods, route, authLevel: "anonymous", handler: serve(endpoint, composition, trueHeaders) });
}
functions.timer("maintainSessions", { schedule: maintenanceSchedule, handler: maintainSessions(composition) });

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
    now,
    newId: randomUUID,
  };
}
