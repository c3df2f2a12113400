import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { listenFor } from "../support/listen-for.ts";

/** A request to storage. */
export interface SeenRequest {
  method: string;
  /** Decoded, without the account's name: `/sessions(PartitionKey='p',RowKey='r')`, `/$batch`. */
  path: string;
  query: URLSearchParams;
  body: string;
  /** Absent without an answer. */
  status?: number;
}

/**
 * A fault of a request: `lose-answer` forwards it and then resets the connection; `break` resets the connection at once;
 * `stall` never answers; a status is the answer in place of storage's.
 */
export type Fault =
  | "lose-answer"
  | "break"
  | "stall"
  | { status: number; headers?: Record<string, string>; body?: string };

/** A proxy between the stores and Azurite that counts requests and injects faults. */
export async function startProxy(t: TestContext, connectionString: string) {
  const seen: SeenRequest[] = [];
  const plans: { fault: Fault; matches: (request: SeenRequest) => boolean; times: number }[] = [];
  let strikes = 0;
  let taken = 0;

  const forward = async (target: string): Promise<string> => {
    const server = createServer((incoming, outgoing) => void handle(new URL(target), incoming, outgoing));
    return `http://127.0.0.1:${await listenFor(t, server)}${new URL(target).pathname}`;
  };

  async function handle(target: URL, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    const url = new URL(incoming.url ?? "/", target);
    const request: SeenRequest = {
      method: incoming.method ?? "",
      path: decodeURIComponent(url.pathname.slice(target.pathname.length)),
      query: url.searchParams,
      body: body.toString("latin1"),
    };
    seen.push(request);
    const plan = plans.find(({ matches, times }) => times > 0 && matches(request));
    if (plan !== undefined) {
      plan.times--;
      strikes++;
      if (plan.fault === "stall") return;
      if (plan.fault === "break") return void incoming.socket.destroy();
      if (typeof plan.fault === "object") {
        request.status = plan.fault.status;
        outgoing.writeHead(plan.fault.status, plan.fault.headers).end(plan.fault.body);
        return;
      }
    }
    const { method, headers } = incoming;
    const options = { host: target.hostname, port: target.port, path: incoming.url, method, headers };
    const upstream = httpRequest(options, async (answer) => {
      const content = await buffer(answer);
      request.status = answer.statusCode ?? 0;
      if (plan !== undefined) return void incoming.socket.destroy();
      outgoing.writeHead(request.status, answer.rawHeaders).end(content);
    });
    upstream.on("error", () => incoming.socket.destroy());
    upstream.end(body);
  }

  let proxied = connectionString;
  for (const endpoint of connectionString.match(/(?<=(?:Blob|Table)Endpoint=)[^;]+/g) ?? []) {
    proxied = proxied.replace(endpoint, await forward(endpoint));
  }
  return {
    connectionString: proxied,
    seen,
    /** Method and path of all requests since the last call, without keys and queries. */
    take(): string[] {
      const names = seen.slice(taken).map(({ method, path }) => `${method} ${path.replace(/\(.*\)$/s, "")}`);
      taken = seen.length;
      return names.sort();
    },
    /** Applies the fault to the next `times` requests for which `matches` holds. */
    inject: (fault: Fault, matches: (request: SeenRequest) => boolean = () => true, times = 1) =>
      void plans.push({ fault, matches, times }),
    /** Number of requests that had a fault. */
    strikes: () => strikes,
  };
}
