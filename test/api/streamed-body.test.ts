import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { ReaderStalledError, startStream } from "../../src/http/streamed-body.ts";
import { listenFor } from "./support/listen-for.ts";
import { until } from "./support/until.ts";

const head = { status: 200, headers: { "content-type": "text/plain" } };
const longStallMs = 3_600_000;

/** A server that answers each request with this body. `sent` settles when the response to a request has ended. */
async function serveBody(t: TestContext, body: () => AsyncIterable<string>, stallMs = longStallMs) {
  const sent = Promise.withResolvers<void>();
  sent.promise.catch(() => undefined);
  const server = createServer((_request: IncomingMessage, response: ServerResponse) => {
    startStream(response, head, body(), stallMs).then(sent.resolve, sent.reject);
  });
  return { port: await listenFor(t, server), sent: sent.promise };
}

async function request(port: number): Promise<IncomingMessage> {
  const [response] = await once(get({ host: "127.0.0.1", port, agent: false }), "response");
  return response;
}

/** Pieces until the reader takes no more; counts them, and notes the end of the iteration. */
function endless() {
  const state = { pieces: 0, isClosed: false };
  async function* body() {
    try {
      for (;;) {
        state.pieces += 1;
        yield "x".repeat(64 * 1024);
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, body };
}

/** A connection that has sent a request and reads nothing. */
async function openSilent(t: TestContext, port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  t.after(() => socket.destroy());
  await once(socket, "connect");
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  return socket;
}

describe("startStream", () => {
  test("pieces -> the head, all pieces in order, and a clean end", async (t) => {
    const pieces = Array.from({ length: 300 }, (_, number) => `${number} ${"é".repeat(5000)}\n`);
    const { port, sent } = await serveBody(t, async function* () {
      yield* pieces;
    });
    const response = await request(port);
    assert.equal(response.headers["content-type"], "text/plain");
    assert.equal(await text(response), pieces.join(""));
    await sent;
  });

  test("no pieces -> an empty body", async (t) => {
    const { port, sent } = await serveBody(t, async function* () {});
    assert.equal(await text(await request(port)), "");
    await sent;
  });

  test("the body fails midway -> the connection breaks, and the failure is reported", async (t) => {
    const { promise: isReceived, resolve: received } = Promise.withResolvers<void>();
    const { port, sent } = await serveBody(t, async function* () {
      yield "first";
      await isReceived;
      throw new Error("storage failed");
    });
    const response = await request(port);
    received();
    await assert.rejects(text(response), { code: "ECONNRESET" });
    await assert.rejects(sent, /storage failed/);
  });

  test("the reader disconnects -> the iteration ends, without a failure", async (t) => {
    const { state, body } = endless();
    const { port, sent } = await serveBody(t, body);
    const response = await request(port);
    await once(response, "data");
    response.destroy();
    await sent;
    assert.equal(state.isClosed, true);
  });

  test("the reader reads nothing -> few pieces are made, and after the limit the connection is ended", async (t) => {
    const { state, body } = endless();
    const { port, sent } = await serveBody(t, body, 200);
    const socket = await openSilent(t, port);
    await assert.rejects(sent, ReaderStalledError);
    assert.equal(state.isClosed, true);
    // The buffers of the system hold some megabytes.
    assert.ok(state.pieces < 400, String(state.pieces));
    socket.on("error", () => undefined).resume();
    await until(() => socket.closed);
  });

  test("the reader never takes the end -> the connection is ended as well", async (t) => {
    const { port, sent } = await serveBody(
      t,
      async function* () {
        yield "x".repeat(64 * 1024 * 1024);
      },
      200,
    );
    await openSilent(t, port);
    await assert.rejects(sent, ReaderStalledError);
  });

  test("an invalid header -> thrown before anything is sent", async (t) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const server = createServer((_request, response) => {
      try {
        void startStream(response, { status: 200, headers: { "x-a": "\n" } }, endless().body());
      } catch (error) {
        resolve(error);
        response.writeHead(500).end();
      }
    });
    const response = await request(await listenFor(t, server));
    assert.deepEqual([response.statusCode, ((await promise) as NodeJS.ErrnoException).code], [500, "ERR_INVALID_CHAR"]);
  });
});
