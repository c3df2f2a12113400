import type { Server } from "node:http";
import type { TestContext } from "node:test";
import { listen } from "../../local/ports.ts";

/** Listens on a free loopback port until the test ends. Resolves with the port. */
export async function listenFor(t: TestContext, server: Server): Promise<number> {
  const port = await listen(server);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return port;
}
