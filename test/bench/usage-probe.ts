import { createServer } from "node:http";

/**
 * Preloaded into a process to measure its CPU time (`NODE_OPTIONS=--import`). Prints its address as one line on stdout, and
 * answers every request with the CPU time of the process so far, in microseconds.
 */
const server = createServer((_request, response) => {
  const { user, system } = process.cpuUsage();
  response.end(JSON.stringify({ cpuMicroseconds: user + system, user, system }));
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address) process.stdout.write(`usage-probe http://127.0.0.1:${address.port}\n`);
});
server.unref();
