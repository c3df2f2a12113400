import type { Server } from "node:http";
import { listen } from "../../local/ports.ts";

/** Listens on a loopback port until the test ends, by default on a free one. Resolves with the port. */
export async function listenFor(t: { after(stop: () => void): void }, server: Server, asked = 0): Promise<number> {
  const port = await listen(server, asked);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return port;
}
