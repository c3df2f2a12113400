import { createServer } from "node:http";

/**
 * Preloaded into a process whose use of the processor is to be known (`NODE_OPTIONS=--import`): tells its address by one
 * line on stdout, and answers every request with the microseconds that the whole process has spent so far.
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
