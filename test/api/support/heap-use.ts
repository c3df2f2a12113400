import { Agent, request as openRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import type { FunctionsHost } from "../../local/functions-host/launcher.ts";

const probe = pathToFileURL(join(import.meta.dirname, "heap-probe.ts")).href;

/** Settings with which a process lets its heap be measured. */
export const heapProbeEnv = { NODE_OPTIONS: `--expose-gc --import=${probe}` };

const heapUseShape = z.object({
  /** Of the heap and of buffers outside it. */
  bytes: z.number(),
  /** Requests, responses and sockets of HTTP, of either side. */
  exchanges: z.number(),
});
export type HeapUse = z.infer<typeof heapUseShape>;

/** What is alive in the host's process after garbage collection. */
export async function measureHeap(host: FunctionsHost): Promise<HeapUse> {
  const address = /heap-probe (\S+)/.exec(host.output())?.[1];
  const response = await fetch(address ?? "", { headers: { connection: "close" } });
  return heapUseShape.parse(await response.json());
}

/** Waits until no more exchanges are alive than `most`; the test's own time limit ends the wait. */
export async function settledHeap(host: FunctionsHost, most: number): Promise<HeapUse> {
  for (;;) {
    const use = await measureHeap(host);
    if (use.exchanges <= most) return use;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export interface Sent {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Sends the same request `count` times, some at a time, and resolves with each kind of answer and its number. */
export async function sendMany(host: FunctionsHost, count: number, sent: Sent): Promise<Map<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const answers = new Map<string, number>();
  await inParallel(count, async () => {
    const answer = await sendOnce(host, agent, sent);
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  });
  agent.destroy();
  return answers;
}

/** Sends what is no whole request `count` times, and breaks each connection off. */
export async function hangUpMany(host: FunctionsHost, count: number, begun: string): Promise<void> {
  await inParallel(count, async () => {
    const socket = connect(host.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.write(begun, resolve));
    socket.destroy();
  });
}

async function inParallel(count: number, work: () => Promise<void>): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

/** Status and body; of a body in the error shape the code. */
function sendOnce(host: FunctionsHost, agent: Agent, { method = "GET", path, headers, body }: Sent): Promise<string> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const request = openRequest(host.url + path, { method, agent, headers: { ...headers, ...length } });
    request.on("error", reject);
    request.on("response", async (response) => {
      const answer = await text(response);
      const code = /^\{"error":\{"code":"(\w+)"/.exec(answer)?.[1];
      resolve(`${response.statusCode} ${code ?? answer}`.trim());
    });
    request.end(body);
  });
}
