import type { IncomingMessage, ServerResponse } from "node:http";
import type { LoadedFunction } from "./function-list.ts";
import type { Timers } from "./timers.ts";

export function isAdminPath(path: string): boolean {
  return /^\/admin(\/|$)/i.test(path);
}

/** Answers `/admin/…` and returns true; returns false for other paths. `/admin` never reaches the app. */
export type Admin = (
  message: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: URLSearchParams,
) => boolean;

/**
 * - `GET /admin/functions` lists the functions.
 * - `POST /admin/functions/{name}` runs a timer now: 202 at once, as the real host; with `?wait=true` (an addition of
 *   this stand-in) 200 after its end with `{ status: "Succeeded" | "Failed", error? }`.
 */
export function createAdmin(functions: readonly LoadedFunction[], timers: Timers): Admin {
  return (message, response, path, query) => {
    const [, , collection, name, ...rest] = path.toLowerCase().split("/");
    if (!isAdminPath(path)) {
      return false;
    }
    message.resume();
    if (collection !== "functions" || rest.length > 0) {
      response.writeHead(404).end();
    } else if (message.method === "GET" && !name) {
      writeJson(response, functions.map(describeFunction));
    } else if (message.method === "POST" && name) {
      const target = functions.find(({ registered }) => registered.name.toLowerCase() === name);
      runNow(response, target, timers, query.get("wait") === "true");
    } else {
      response.writeHead(405).end();
    }
    return true;
  };
}

function runNow(response: ServerResponse, target: LoadedFunction | undefined, timers: Timers, wait: boolean): void {
  if (target?.type !== "timerTrigger") {
    // As in the real host, HTTP functions cannot be run this way.
    response.writeHead(target ? 400 : 404).end();
    return;
  }
  const run = timers.run(target).then(
    () => ({ status: "Succeeded" }),
    (error: unknown) => ({ status: "Failed", error: error instanceof Error ? error.message : String(error) }),
  );
  if (wait) {
    void run.then((outcome) => writeJson(response, outcome));
  } else {
    response.writeHead(202).end();
  }
}

function describeFunction(target: LoadedFunction): object {
  const base = { name: target.registered.name, type: target.type, disabled: target.disabled };
  return target.type === "httpTrigger"
    ? { ...base, route: target.route.template, methods: target.route.methods }
    : { ...base, schedule: target.schedule };
}

function writeJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}
