import { createServer } from "node:net";
import { StackError } from "./child.ts";

/** What is said where a piece's port is in use. */
export function portTakenMessage(piece: string, port: number, variable: string): string {
  return `Port ${port} for the ${piece} is taken. Free it, or set ${variable} to another one.`;
}

/** Ports that are free right now, all different. */
export async function findFreePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map(({ port }) => port);
  await Promise.all(servers.map(({ close }) => close()));
  return ports;
}

/** Throws `StackError` where something listens on the port already. */
export async function assertPortFree(piece: string, port: number, variable: string): Promise<void> {
  try {
    await (await listen(port)).close();
  } catch {
    throw new StackError(portTakenMessage(piece, port, variable));
  }
}

function listen(port: number): Promise<{ port: number; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address ? address.port : port,
        close: () => new Promise((closed) => server.close(() => closed())),
      });
    });
  });
}
