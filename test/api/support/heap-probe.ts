import { ClientRequest, createServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { queryObjects } from "node:v8";

/**
 * Preloaded into a process to measure its live heap (`NODE_OPTIONS=--expose-gc --import=…`). Prints its address as one
 * line on stdout, and answers every request with the heap use after garbage collection (`HeapUse`).
 */
const server = createServer(async (_request, response) => {
  // Finalizers and closed sockets release more memory only after the first collections.
  for (let round = 0; round < 5; round += 1) {
    await turn();
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  const exchanges = [IncomingMessage, ServerResponse, ClientRequest, Socket]
    .map((kind) => queryObjects(kind, { format: "count" }))
    .reduce((sum, count) => sum + count, 0);
  response.end(JSON.stringify({ bytes: heapUsed + external, exchanges }));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address) process.stdout.write(`heap-probe http://127.0.0.1:${address.port}\n`);
});
server.unref();
