import { once } from "node:events";
import { Agent, request as openRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import type { FunctionsHost } from "../../local/functions-host/launcher.ts";
import { inParallel } from "./in-parallel.ts";
import { until } from "./until.ts";

const probe = pathToFileURL(join(import.meta.dirname, "heap-probe.ts")).href;

/** Settings that preload the heap probe into a process. */
export const heapProbeEnv = { NODE_OPTIONS: `--expose-gc --import=${probe}` };

const heapUseShape = z.object({
  /** Bytes in use, of the heap and of buffers outside it. */
  bytes: z.number(),
  /** Number of live HTTP requests, responses and sockets, of both sides. */
  exchanges: z.number(),
});
export type HeapUse = z.infer<typeof heapUseShape>;

/** Heap use of the host's process after garbage collection. */
export async function measureHeap(host: FunctionsHost): Promise<HeapUse> {
  const address = /heap-probe (\S+)/.exec(host.output())?.[1];
  const response = await fetch(address ?? "", { headers: { connection: "close" } });
  return heapUseShape.parse(await response.json());
}

/** Waits until at most `most` exchanges are alive. Every poll adds exchanges of its own for a while, so polls are rare. */
export async function settledHeap(host: FunctionsHost, most: number): Promise<HeapUse> {
  let use = await measureHeap(host);
  const isSettled = async () => {
    if (use.exchanges > most) use = await measureHeap(host);
    return use.exchanges <= most;
  };
  await until(isSettled, {
    timeoutMs: 120_000,
    everyMs: 200,
    state: () => `${use.exchanges} exchanges, expected ${most}`,
  });
  return use;
}

export interface Sent {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Sends a request `count` times, 32 at a time, and resolves with the number of each kind of answer. */
export async function sendMany(host: FunctionsHost, count: number, sent: Sent): Promise<Map<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const answers = new Map<string, number>();
  await inParallel(count, 32, async () => {
    const answer = await sendOnce(host, agent, sent);
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  });
  agent.destroy();
  return answers;
}

/** Sends an incomplete request `count` times, and closes each connection. */
export async function hangUpMany(host: FunctionsHost, count: number, begun: string): Promise<void> {
  await inParallel(count, 32, async () => {
    const socket = connect(host.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.write(begun, resolve));
    socket.destroy();
  });
}

/** Resolves with the status, and with the error code or, where there is none, the body. */
async function sendOnce(host: FunctionsHost, agent: Agent, { method = "GET", path, headers, body }: Sent) {
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  const request = openRequest(host.url + path, { method, agent, headers: { ...headers, ...length } }).end(body);
  const [response] = await once(request, "response");
  const answer = await text(response);
  const code = /^\{"error":\{"code":"(\w+)"/.exec(answer)?.[1];
  return `${response.statusCode} ${code ?? answer}`.trim();
}
