import { app as functions, output } from "@azure/functions";
// biome-ignore lint/correctness/noUndeclaredDependencies: the worker provides it; no package of that name exists.
import { getProgrammingModel, setProgrammingModel } from "@azure/functions-core";
import { createForwardedRequests } from "./http/forwarded-requests.ts";
import { withHttpStreaming } from "./http/streaming-model.ts";
import { httpFunctions, timers } from "./registrations.ts";

/*
 * The entry point, which registers all functions even if the settings are wrong: a host without functions gives no reason.
 * The handlers (`compose.ts`) take several times longer to load; they are loaded while the host starts, or by the first
 * call if that is earlier.
 */

/** Delay before the handlers are loaded, within which the host gets the registrations. The exact time does not matter. */
const loadAfterMs = 100;

let loaded: ReturnType<typeof loadHandlers> | undefined;

function handlers(): ReturnType<typeof loadHandlers> {
  loaded ??= loadHandlers();
  return loaded;
}

async function loadHandlers() {
  const { composeHandlers } = await import("./compose.ts");
  return composeHandlers();
}

/** One output for all functions, because the library computes a hash for each output. */
const response = output.http({});

for (const { name, methods, route } of httpFunctions) {
  // The app authenticates, not the host: the host's 401 has no body, and it ignores the key header of Face clients.
  functions.http(name, {
    methods,
    route,
    authLevel: "anonymous",
    return: response,
    handler: async (request, context) => found((await handlers()).http, name)(request, context),
  });
}
for (const { name, schedule } of timers) {
  functions.timer(name, {
    schedule,
    handler: async (timer, context) => found((await handlers()).timer, name)(timer, context),
  });
}
// Without streaming, the host drops the body of a chunked request.
setProgrammingModel(withHttpStreaming(getProgrammingModel(), createForwardedRequests()));
functions.hook.appTerminate(async () => (await loaded)?.terminate());
// A failure is ignored here, because every call of a function fails with the same error.
setTimeout(() => handlers().catch(() => undefined), loadAfterMs).unref();

function found<Handler>(byName: ReadonlyMap<string, Handler>, name: string): Handler {
  const handler = byName.get(name);
  if (handler === undefined) throw new Error(`There is no handler for ${name}.`);
  return handler;
}
