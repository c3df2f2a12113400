import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { Registry } from "./core-api.ts";
import type { Log } from "./log.ts";

const manifestShape = z.object({ main: z.string().optional(), type: z.string().optional() });
const hostShape = z.object({
  extensions: z.object({ http: z.object({ routePrefix: z.string().default("api") }).prefault({}) }).prefault({}),
});
const localSettingsShape = z.object({
  Host: z.object({ CORS: z.string().optional(), CORSCredentials: z.boolean().default(false) }).prefault({}),
});

/** The capabilities of the worker, before the programming model adds its own. */
const workerCapabilities = {
  RawHttpBodyBytes: "true",
  RpcHttpTriggerMetadataRemoved: "true",
  RpcHttpBodyOnly: "true",
  UseNullableValueDictionaryForHttp: "true",
  TypedDataCollection: "true",
  WorkerStatus: "true",
};

export interface LoadedApp {
  routePrefix: string;
  /** Address of the library's own server. Present exactly when the app uses HTTP streaming. */
  httpUri?: string;
}

/**
 * Starts the app as the Node.js worker does: runs the file that package.json names as `main`, then the `appStart`
 * hooks, then closes registration and reads the capabilities of the programming model. An error of `main` is logged;
 * earlier registrations stay.
 */
export async function loadApp(appFolder: string, registry: Registry, log: Log): Promise<LoadedApp> {
  const manifest = manifestShape.parse(await readJson(join(appFolder, "package.json")));
  const host = hostShape.parse(await readJson(join(appFolder, "host.json")));
  if (manifest.main !== undefined) {
    try {
      await runMain(join(appFolder, manifest.main), manifest.type === "module");
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log("error", "host", `Worker was unable to load entry point "${manifest.main}": ${reason}`);
    }
  }
  await registry.runHooks("appStart", {
    hookData: {},
    appHookData: registry.appHookData,
    functionAppDirectory: appFolder,
  });
  registry.finishStartup();
  const capabilities = await registry.programmingModel()?.getCapabilities?.({ ...workerCapabilities });
  const httpUri = capabilities?.HttpUri;
  return {
    routePrefix: host.extensions.http.routePrefix.replace(/^\/+|\/+$/g, ""),
    ...(httpUri === undefined ? {} : { httpUri }),
  };
}

async function runMain(file: string, isModulePackage: boolean): Promise<void> {
  if (file.endsWith(".mjs") || (isModulePackage && !file.endsWith(".cjs"))) {
    await import(pathToFileURL(file).href);
  } else {
    createRequire(file)(file);
  }
}

export interface CorsSettings {
  origins: string[];
  credentials: boolean;
}

/** The CORS part of `local.settings.json` in the folder; undefined where there is none. */
export async function readCorsSettings(folder: string): Promise<CorsSettings | undefined> {
  const content = await readFile(join(folder, "local.settings.json"), "utf8").catch(() => undefined);
  if (content === undefined) {
    return undefined;
  }
  // Some editors on Windows add a byte order mark.
  const { Host } = localSettingsShape.parse(JSON.parse(content.replace(/^\ufeff/, "")));
  const origins = (Host.CORS ?? "").split(",").map((origin) => origin.trim().replace(/\/$/, ""));
  const given = origins.filter((origin) => origin !== "");
  return given.length > 0 ? { origins: given, credentials: Host.CORSCredentials } : undefined;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new Error(`${file} cannot be read as JSON`, { cause: error });
  }
}
