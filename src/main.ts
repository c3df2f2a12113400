import { app as functions } from "@azure/functions";
// biome-ignore lint/correctness/noUndeclaredDependencies: the worker provides it; no package of that name exists.
import { getProgrammingModel, setProgrammingModel } from "@azure/functions-core";
import { createForwardedRequests } from "./http/forwarded-requests.ts";
import { withHttpStreaming } from "./http/streaming-model.ts";
import { httpFunctions, timers } from "./registrations.ts";

/*
 * Where an instance begins: it registers every function, whatever the settings are, since a host that finds no functions
 * tells nobody why. What is behind the functions (`compose.ts`) takes several times as long to load as all this, so it
 * is loaded while the host gets ready, or with the first call where that comes earlier.
 */

/** By then a host has been told of the functions; nothing waits for it. */
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

for (const { name, methods, route } of httpFunctions) {
  // Anonymous for the host: its own 401 has no body, and it does not know the header that Face clients send.
  functions.http(name, {
    methods,
    route,
    authLevel: "anonymous",
    handler: async (request, context) => found((await handlers()).http, name)(request, context),
  });
}
for (const { name, schedule } of timers) {
  functions.timer(name, {
    schedule,
    handler: async (timer, context) => found((await handlers()).timer, name)(timer, context),
  });
}
// Without streaming the host drops the body of a chunked request.
setProgrammingModel(withHttpStreaming(getProgrammingModel(), createForwardedRequests()));
functions.hook.appTerminate(async () => (await loaded)?.terminate());
// What keeps it from loading is heard by the first call.
setTimeout(() => handlers().catch(() => undefined), loadAfterMs).unref();

function found<Handler>(byName: ReadonlyMap<string, Handler>, name: string): Handler {
  const handler = byName.get(name);
  if (handler === undefined) throw new Error(`There is no handler for ${name}.`);
  return handler;
}
