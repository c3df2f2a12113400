import { compact } from "../../src/compact.ts";
import { settings as appSettings } from "../../src/config.ts";
import { ensureBuilt } from "./app-build.ts";
import type { Azurite } from "./azurite.ts";
import { StackError } from "./child.ts";
import type { FaceEmulator } from "./emulator/emulator.ts";
import { type FunctionsHost, startFunctionsHost } from "./functions-host/launcher.ts";
import {
  emulatorUserIdKey,
  receiverSettings,
  type Services,
  type Settings,
  startServices,
  stopServices,
} from "./services.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

export interface StackOptions {
  /** App settings. They take precedence over those of the stack. With `FACE_ENDPOINT` no emulator starts. */
  env?: Settings;
  /** Default of each port: any free one. */
  ports?: { app?: number; emulator?: number; receiver?: number; blob?: number; queue?: number; table?: number };
  /** Folder of Azurite's data. Default: in memory. */
  dataFolder?: string;
  /** Whether timers run by their schedules. Default false: tests run them by `app.runFunction`. */
  timers?: boolean;
  /** The built app. Default: `dist`, rebuilt where the sources are newer. */
  appFolder?: string;
  /** Folder of the `local.settings.json` with the CORS settings. Default: the app's. */
  workFolder?: string;
  onAppOutput?: (text: string) => void;
  /**
   * Starts a receiver of webhooks, which is the app's one endpoint unless `env` has `WEBHOOK_ENDPOINTS`. Default: neither, so
   * that the app sends no events.
   */
  webhooks?: boolean;
  /** Receives one line for each webhook. */
  onWebhook?: (line: string) => void;
}

/** Storage, Face and the app, all on loopback. */
export interface Stack {
  /** The app's URL, without a trailing slash. */
  readonly url: string;
  readonly azurite: Azurite;
  readonly usesEmulator: boolean;
  /** Throws where the real Face service is used. */
  readonly emulator: FaceEmulator;
  /** Throws without the option `webhooks`. */
  readonly receiver: WebhookReceiver;
  /** The running app. `restartApp` replaces it. */
  readonly app: FunctionsHost;
  /** The app's settings. */
  readonly settings: Settings;
  /** Stops the app if it runs, and starts it on the same port. `env` is added to its settings. */
  restartApp(env?: Settings): Promise<FunctionsHost>;
  /** Starts another process of the app on the same storage and Face, on its own port. It stops with the stack. */
  startAnotherApp(env?: Settings): Promise<FunctionsHost>;
  /** Stops everything. Can be called again. */
  stop(): Promise<void>;
}

/** Starts the local stack. Throws `StackError` where a part cannot start, after stopping the others. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const apps = new Set<FunctionsHost>();
  const moveClocks = async (offsetMs: number) => {
    await Promise.all([...apps].map((host) => host.setClockOffset(offsetMs)));
  };
  const appFolder = options.appFolder ?? (await ensureBuilt());
  const services = await startServices({
    ports: options.ports,
    dataFolder: options.dataFolder,
    withEmulator: !options.env?.FACE_ENDPOINT,
    onClock: moveClocks,
    receiver: options.webhooks
      ? { endpoints: options.env?.WEBHOOK_ENDPOINTS, ...compact({ onWebhook: options.onWebhook }) }
      : undefined,
  });
  const { azurite, emulator, receiver } = services;
  let settings = makeSettings(options.env ?? {}, services);

  async function startApp(port: number): Promise<FunctionsHost> {
    const host = await startFunctionsHost({
      appFolder,
      port,
      env: settings,
      timers: options.timers ?? false,
      loopbackNamesOnly: letsEveryoneIn(settings),
      clockOffsetMs: emulator?.offsetMs() ?? 0,
      ...(options.workFolder === undefined ? {} : { workFolder: options.workFolder }),
      ...(options.onAppOutput === undefined ? {} : { onOutput: options.onAppOutput }),
    });
    apps.add(host);
    void host.exited.then(() => apps.delete(host));
    return host;
  }

  async function stop(): Promise<void> {
    await Promise.all([...apps].map((host) => host.stop()));
    await stopServices(services);
  }

  let app: FunctionsHost;
  try {
    app = await startApp(options.ports?.app ?? 0);
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    get url() {
      return app.url;
    },
    get app() {
      return app;
    },
    get settings() {
      return settings;
    },
    azurite,
    usesEmulator: emulator !== undefined,
    get emulator() {
      if (!emulator) {
        throw new StackError("The real Face service is used: there is no emulator.");
      }
      return emulator;
    },
    get receiver() {
      if (!receiver) throw new StackError("The stack has no receiver of webhooks.");
      return receiver;
    },
    restartApp: async (env) => {
      const { port } = app;
      await app.stop();
      settings = { ...settings, ...env };
      app = await startApp(port);
      return app;
    },
    startAnotherApp: async (env) => {
      const shared = settings;
      settings = { ...shared, ...env };
      try {
        return await startApp(0);
      } finally {
        settings = shared;
      }
    },
    stop,
  };
}

function letsEveryoneIn(settings: Settings): boolean {
  return appSettings.shape.ALLOW_ANONYMOUS.safeParse(settings.ALLOW_ANONYMOUS).data === true;
}

/** The app settings: those of the stack, overridden by the given ones. */
function makeSettings(given: Settings, services: Services): Settings {
  const { azurite, emulator } = services;
  const hasOwnStorage = Object.keys(given).some((name) => name.startsWith("AzureWebJobsStorage"));
  return {
    FUNCTIONS_WORKER_RUNTIME: "node",
    ...(hasOwnStorage ? {} : { AzureWebJobsStorage: azurite.connectionString }),
    ...(emulator ? { FACE_ENDPOINT: emulator.url, FACE_KEY: emulator.key, USER_ID_KEY: emulatorUserIdKey } : {}),
    // Without client keys the app refuses every caller. On a developer's machine anonymous callers are allowed.
    ...(given.CLIENT_KEYS ? {} : { ALLOW_ANONYMOUS: "true" }),
    ...given,
    ...receiverSettings(given, services),
  };
}
