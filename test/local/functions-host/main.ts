import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { stopRequest } from "../child.ts";
import { listen } from "../ports.ts";
import { createAdmin } from "./admin.ts";
import { loadApp, readCorsSettings } from "./app-loader.ts";
import { installAppClock } from "./clock.ts";
import { provideCoreModule } from "./core-api.ts";
import { type HttpFunction, listFunctions, type TimerFunction } from "./function-list.ts";
import { createHttpFront } from "./http-front.ts";
import { createForwarder } from "./http-stream.ts";
import { createInvoker } from "./invocations.ts";
import { type HostMessage, parentMessageShape } from "./ipc.ts";
import { createLog, isLogLevel } from "./log.ts";
import { createTimers } from "./timers.ts";

/**
 * A stand-in for the Azure Functions host and its Node.js worker, in one process:
 * `node main.ts <appFolder> [--no-timers] [--loopback-names-only] [--log-level debug] [--clock-offset ms]`. App settings are the environment;
 * `PORT` is the port (0: any free one); CORS comes from `local.settings.json` in the working folder.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "no-timers": { type: "boolean", default: false },
    "loopback-names-only": { type: "boolean", default: false },
    "log-level": { type: "string", default: "information" },
    "clock-offset": { type: "string", default: "0" },
  },
});
const appFolder = resolve(positionals[0] ?? ".");
const clock = installAppClock();
clock.setOffset(Number(values["clock-offset"]));
const level = values["log-level"];
const log = createLog(isLogLevel(level) ? level : "information", process.stdout, clock.realNow);
/** Time that running invocations have to end, in milliseconds. */
const stopGrace = 5000;

function tellParent(message: HostMessage): Promise<void> {
  return new Promise((sent) => (process.send ? process.send(message, undefined, undefined, () => sent()) : sent()));
}

/** An uncaught error ends the worker, and so this process. */
function die(kind: string, error: unknown): never {
  log("critical", "host", `${kind}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exit(1);
}
process.on("unhandledRejection", (error) => die("Unhandled rejection", error));
process.on("uncaughtException", (error) => die("Uncaught exception", error));
// A child must not outlive its parent.
process.on("disconnect", () => process.exit());

async function run(): Promise<void> {
  const registry = provideCoreModule(log);
  const app = await loadApp(appFolder, registry, log);
  const functions = listFunctions(registry.functions(), app.routePrefix, process.env, log);
  const httpFunctions = functions.filter((target): target is HttpFunction => target.type === "httpTrigger");
  const timerFunctions = functions.filter((target): target is TimerFunction => target.type === "timerTrigger");
  if (functions.length === 0) {
    log("warning", "host", "No functions found.");
  }

  const invoker = createInvoker(registry, log);
  const enabledTimers = timerFunctions.filter(({ disabled }) => !disabled);
  const timers = createTimers(enabledTimers, invoker, log, clock.realNow);
  const forwarder = app.httpUri === undefined ? undefined : createForwarder(app.httpUri);
  const server = createHttpFront({
    functions: httpFunctions,
    invoker,
    admin: createAdmin(functions, timers),
    cors: await readCorsSettings(process.cwd()),
    forwarder,
    loopbackNamesOnly: values["loopback-names-only"],
    log,
    now: clock.realNow,
  });

  let stopping = false;
  const stop = async () => {
    if (stopping) {
      return;
    }
    stopping = true;
    timers.stop();
    const closed = new Promise((resolve) => server.close(resolve));
    // After its answer a kept-alive connection would wait for another request.
    setInterval(() => server.closeIdleConnections(), 20);
    await Promise.race([Promise.all([closed, invoker.settle()]), delay(stopGrace)]);
    await registry.runHooks("appTerminate", { hookData: {}, appHookData: registry.appHookData });
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("message", (message) => {
    if (message === stopRequest) {
      void stop();
      return;
    }
    const parsed = parentMessageShape.safeParse(message);
    if (parsed.success) {
      clock.setOffset(parsed.data.offsetMs);
      void tellParent({ type: "clock", id: parsed.data.id });
    }
  });

  const port = await listen(server, Number(process.env.PORT ?? 7071));
  if (!values["no-timers"]) {
    timers.start();
  }
  log("information", "host", `Listening on http://127.0.0.1:${port} with ${functions.length} functions`);
  await tellParent({ type: "ready", port });
}

try {
  await run();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  log("critical", "host", `Could not start: ${message}`);
  await tellParent({ type: "failed", message, ...(code === undefined ? {} : { code }) });
  // The library's server may be listening already and would keep the process alive.
  process.exit(1);
}
