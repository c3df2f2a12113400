import { Agent, createServer, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { listen } from "../local/ports.ts";

export interface ServiceProxy {
  /** The target's URL with the proxy's port. */
  url: string;
  /** The requests since the last call. */
  take(): SeenRequest[];
  /** Sets the time from the arrival of a request to its answer, in milliseconds, including the time of the service. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
}

export interface SeenRequest {
  method: string;
  /** The path, without the query. */
  path: string;
  status: number;
  body: string;
  /** On the clock of `performance.now()`. */
  arrivedAt: number;
  answeredAt: number;
}

/** A proxy in front of a service that counts requests and delays answers. */
export async function startProxy(target: string): Promise<ServiceProxy> {
  const { hostname, port: targetPort, pathname } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  let seen: SeenRequest[] = [];
  let answerAfterMs = 0;

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const arrivedAt = performance.now();
    const body = await readAll(incoming);
    const { method = "", url = "/", headers } = incoming;
    const upstream = openRequest({ host: hostname, port: targetPort, path: url, method, headers, agent });
    upstream.on("error", () => incoming.socket.destroy());
    upstream.on("response", async (answer) => {
      const content = await readAll(answer);
      const status = answer.statusCode ?? 502;
      await waitUntil(arrivedAt + answerAfterMs);
      const { pathname: path } = new URL(url, target);
      const answeredAt = performance.now();
      seen.push({ method, path, status, body: body.toString("latin1"), arrivedAt, answeredAt });
      outgoing.writeHead(status, answer.rawHeaders).end(content);
    });
    upstream.end(body);
  }

  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing));
  server.keepAliveTimeout = 60_000;
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}${pathname === "/" ? "" : pathname}`,
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
    delay(milliseconds) {
      answerAfterMs = milliseconds;
    },
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Timers fire up to a millisecond late, so the last millisecond is polled. */
async function waitUntil(time: number): Promise<void> {
  const rest = time - performance.now() - 1.5;
  if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
  while (performance.now() < time) await new Promise(setImmediate);
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
