import { createServer, type Server } from "node:net";

/** The reason for an error of `listen`, by its code. Undefined for errors that are not about the port. */
export function explainPort(code: unknown, piece: string, port: number, variable: string): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return `Port ${port} for the ${piece} is taken. Free it, or set ${variable} to another one.`;
    // Windows reserves ranges of ports; elsewhere low ports need privileges.
    case "EACCES":
      return `Port ${port} for the ${piece} is kept back by the system. Set ${variable} to another one.`;
    default:
      return undefined;
  }
}

/** Different ports that are free at this moment. */
export async function findFreePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map((server) => listen(server)));
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

/** Lets a server listen on 127.0.0.1. Resolves with its port (default 0: any free one), or rejects with its error. */
export function listen(server: Server, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address.port);
      else reject(new Error("The server listens on no port"));
    });
  });
}
