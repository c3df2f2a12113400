import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { request as openRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, type TestContext } from "node:test";
import { z } from "zod";
import { build } from "../../../infra/build.ts";
import {
  type FunctionsHost,
  type FunctionsHostOptions,
  startFunctionsHost,
} from "../../local/functions-host/launcher.ts";
import { until } from "./until.ts";

/** Shared by the tests of the functions host: the tiny app, built once per file, and functions that call it. */

const echoShape = z.object({
  method: z.string(),
  url: z.string(),
  params: z.record(z.string(), z.string()),
  query: z.array(z.tuple([z.string(), z.string()])),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});

let folder: string;
let tinyApp: string;

/** A new folder, removed after the file's tests. */
export function makeFolder(prefix: string): Promise<string> {
  return mkdtemp(join(folder, prefix));
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "functions-host-"));
  const entry = join(import.meta.dirname, "../../fixtures/tiny-app/main.ts");
  ({ outFolder: tinyApp } = await build({ entry, outFolder: join(folder, "tiny-app") }));
});
after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

export function startHost(options: Partial<FunctionsHostOptions> = {}): Promise<FunctionsHost> {
  return startFunctionsHost({
    appFolder: tinyApp,
    timers: false,
    ...options,
    env: { STREAMING: "true", OFTEN_SCHEDULE: "0 0 0 1 1 *", ...options.env },
  });
}

export async function startTinyApp(t: TestContext, options?: Partial<FunctionsHostOptions>): Promise<FunctionsHost> {
  const host = await startHost(options);
  t.after(() => host.stop());
  return host;
}

/** Sends a request unchanged: `fetch` normalises the path and refuses some headers. */
export function send(
  host: FunctionsHost,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: string; chunked?: boolean } = {},
): Promise<{ status: number; headers: NodeJS.Dict<string[]>; body: string }> {
  return new Promise((resolve, reject) => {
    const length = options.body === undefined || options.chunked ? {} : { "content-length": `${options.body.length}` };
    const request = openRequest(host.url, { method, path, headers: { ...options.headers, ...length }, agent: false });
    request.on("error", reject);
    request.on("response", async (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headersDistinct, body: await text(response) });
    });
    if (options.chunked) request.write(options.body ?? "");
    request.end(options.chunked ? undefined : options.body);
  });
}

export async function echo(host: FunctionsHost, method: string, path: string, options?: Parameters<typeof send>[3]) {
  const answer = await send(host, method, path, options);
  assert.equal(answer.status, 200, answer.body);
  return echoShape.parse(JSON.parse(answer.body));
}

/** Waits until the host's output contains or matches `expected`. */
export function seen(host: FunctionsHost, expected: string | RegExp): Promise<void> {
  const isSeen = () => (typeof expected === "string" ? host.output().includes(expected) : expected.test(host.output()));
  return until(isSeen, { state: host.output });
}
