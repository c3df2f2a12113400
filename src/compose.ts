import { randomUUID } from "node:crypto";
import type { TimerHandler } from "@azure/functions";
import type { App, Composition } from "./app.ts";
import { compact } from "./compact.ts";
import { type Config, readConfig } from "./config.ts";
import { endpoints } from "./endpoints.ts";
import { givenUpFields } from "./events/attempt.ts";
import type { DeliveryTarget } from "./events/delivery-target.ts";
import { createPublisher } from "./events/publisher.ts";
import { createTargets } from "./events/targets.ts";
import { createFaceService } from "./face/client/face-service.ts";
import { maintainSessions } from "./functions/maintain-sessions.ts";
import { type RequestHandler, serve } from "./http/endpoint.ts";
import { describeError } from "./http/log.ts";
import { createIdentity } from "./identity.ts";
import { createReadiness } from "./liveness/readiness.ts";
import { connectStorage } from "./storage/azure/table.ts";
import { createTableStores } from "./storage/create-stores.ts";
import { createBookmarks } from "./storage/stores/bookmarks.ts";
import { createEndpointStates } from "./storage/stores/endpoint-states.ts";
import { createImages } from "./storage/stores/images.ts";
import { observeHttp, observeServices, observeTimer } from "./telemetry/observe.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { now } from "./time.ts";

/*
 * The composition root: settings, clients, handlers. `main.ts` loads it once, after the functions are registered.
 */

/** Handlers of all functions by name, and a callback for the end of the process. */
export interface Handlers {
  http: ReadonlyMap<string, RequestHandler>;
  timer: ReadonlyMap<string, TimerHandler>;
  terminate(): Promise<void>;
}

export async function composeHandlers(): Promise<Handlers> {
  const read = readConfig(process.env);
  if ("faults" in read) {
    // There is no invocation context to log with.
    logToHost({ event: "ServiceNotConfigured", settings: read.faults.map(({ setting }) => setting) });
    return handlersOf(read, undefined);
  }
  const telemetry = await connectTelemetry(read.config);
  return handlersOf({ app: compose(read.config, telemetry) }, telemetry);
}

function handlersOf(composition: Composition, telemetry: Telemetry | undefined): Handlers {
  const http = endpoints.map((endpoint): [string, RequestHandler] => {
    const handler = serve(endpoint, composition);
    return [endpoint.name, telemetry ? observeHttp(telemetry, handler) : handler];
  });
  const maintain = maintainSessions(composition);
  return {
    http: new Map(http),
    timer: new Map([["maintainSessions", telemetry ? observeTimer(telemetry, maintain) : maintain]]),
    terminate: async () => telemetry?.shutdown(),
  };
}

/** Loads telemetry only if it is configured. Failures are logged and do not stop the app. */
async function connectTelemetry({ telemetry, face, storage }: Config): Promise<Telemetry | undefined> {
  if (telemetry === undefined) return undefined;
  try {
    const { startTelemetry } = await import("./telemetry/start-telemetry.ts");
    const { identity, instance, ...options } = telemetry;
    return startTelemetry({
      ...options,
      ...compact({ instance, credential: identity && createIdentity(identity.clientId) }),
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
  // biome-ignore lint/suspicious/noConsole: the host adds this output to its own log.
  console.error(JSON.stringify(line));
}

/** A target for an Event Grid topic. Loads the library of the service, which an app without a topic does not need. */
async function connectEventGrid(
  { face }: Pick<Config, "face">,
  options: { topicEndpoint: string; source: string },
): Promise<DeliveryTarget> {
  const { createEventGridTarget } = await import("./events/event-grid-target.ts");
  return createEventGridTarget({ ...options, credential: createIdentity(face.identityClientId), now });
}

function compose(config: Config, telemetry: Telemetry | undefined): App {
  const { face: faceConfig, storage: storageConfig, rules, policy, limits, retention } = config;
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
      ...compact({ onRequest: telemetry?.observeRequest }),
    }),
    ...createTableStores(storage),
    images: createImages(storage),
    bookmarks: createBookmarks(storage),
  };
  const services = telemetry ? observeServices(connected, telemetry) : connected;
  const targets = createTargets(config.events, {
    states: createEndpointStates(storage),
    now,
    connectEventGrid: (topic) => connectEventGrid(config, topic),
  });
  return {
    ...services,
    targets,
    publish: createPublisher({
      ...{ targets, outbox: services.outbox, now },
      onGivenUp: (...givenUp) => logToHost({ event: "EventGivenUp", ...givenUpFields(...givenUp) }),
    }),
    ...compact({ telemetry }),
    config,
    rules,
    policy,
    limits,
    retention,
    readiness: createReadiness({ ...services, now }),
    now,
    newId: randomUUID,
  };
}
