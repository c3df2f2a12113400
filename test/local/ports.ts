import { createServer } from "node:net";

/** Why a piece cannot have its port, by the code of the error. Undefined where that is not about the port. */
export function explainPort(code: unknown, piece: string, port: number, variable: string): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return `Port ${port} for the ${piece} is taken. Free it, or set ${variable} to another one.`;
    // Windows keeps whole ranges for itself; elsewhere the low ports are for administrators.
    case "EACCES":
      return `Port ${port} for the ${piece} is kept back by the system. Set ${variable} to another one.`;
    default:
      return undefined;
  }
}

/** Ports that are free right now, all different. */
export async function findFreePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listen));
  const ports = servers.map(({ port }) => port);
  await Promise.all(servers.map(({ close }) => close()));
  return ports;
}

function listen(): Promise<{ port: number; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address ? address.port : 0,
        close: () => new Promise((closed) => server.close(() => closed())),
      });
    });
  });
}
