import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, request as openRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { it, type TestContext } from "node:test";
import { watchTrueHeaders } from "../../src/http/true-headers.ts";

/** A server as the library's, which leaves every request unanswered. */
async function startServer(t: TestContext): Promise<number> {
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}

it("knows the headers of a request while it lasts, and none of any other", async (t) => {
  const trueHeaders = watchTrueHeaders();
  assert.equal(trueHeaders(randomUUID()), undefined, "no request has come this way: the host does not stream");
  const port = await startServer(t);
  const invocationId = randomUUID();
  const headers = { "x-ms-invocation-id": invocationId, "x-functions-key": "mine" };
  const request = openRequest({ port, host: "127.0.0.1", headers });
  t.after(() => request.destroy());
  request.on("error", () => undefined).end();
  while (trueHeaders(invocationId)?.get("x-functions-key") !== "mine") await new Promise(setImmediate);
  assert.deepEqual([...(trueHeaders(randomUUID()) ?? assert.fail())], []);
});

it("knows of nobody any more when the caller has gone before the invocation: what stands in its metadata is no header", async (t) => {
  const trueHeaders = watchTrueHeaders();
  const port = await startServer(t);
  const invocationId = randomUUID();
  const request = openRequest({ port, host: "127.0.0.1", headers: { "x-ms-invocation-id": invocationId } });
  request.on("error", () => undefined).end();
  while (!trueHeaders(invocationId)?.has("x-ms-invocation-id")) await new Promise(setImmediate);
  request.destroy();
  while (trueHeaders(invocationId)?.has("x-ms-invocation-id")) await new Promise(setImmediate);
  assert.deepEqual([...(trueHeaders(invocationId) ?? assert.fail())], []);
});
