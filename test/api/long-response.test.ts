import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get } from "node:http";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { ReaderStalledError, startStream } from "../../src/http/streamed-body.ts";
import { listenFor } from "./support/listen-for.ts";

test("a response that is read steadily for longer than the limit -> the connection breaks", async (t) => {
  const { promise: sent, resolve, reject } = Promise.withResolvers<void>();
  sent.catch(() => undefined);
  async function* endless() {
    for (;;) yield "x".repeat(64 * 1024);
  }
  const server = createServer((_request, response) => {
    startStream(response, { status: 200, headers: {} }, endless(), 60_000, 100).then(resolve, reject);
  });
  const [response] = await once(get({ host: "127.0.0.1", port: await listenFor(t, server), agent: false }), "response");
  await assert.rejects(text(response), { code: "ECONNRESET" });
  await assert.rejects(sent, ReaderStalledError);
});
