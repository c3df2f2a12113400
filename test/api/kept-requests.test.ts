import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { clientKey } from "../unit/fakes/principals.ts";
import { hangUpMany, heapProbeEnv, measureHeap, type Sent, sendMany, settledHeap } from "./support/heap-use.ts";
import { openStack } from "./support/open-stack.ts";
import { startTinyApp } from "./support/tiny-app.ts";

/** Requests of callers without a key leave nothing in the app's memory. */

const timeout = 300_000;
const mebibyte = 1024 * 1024;
const session = "/face/v1.2/detectLiveness-sessions";
const json = { "content-type": "application/json" };
const notHeaders = '{"a b":"c"}';

/** Requests whose trigger metadata contain a `Headers` property with invalid header names. */
const poisoned: Record<string, Sent> = {
  "a body": { method: "POST", path: session, headers: json, body: `{"Headers":${notHeaders}}` },
  "a query": { path: `${session}/x?Headers=${encodeURIComponent(notHeaders)}` },
};

describe("the app's process", { timeout }, async () => {
  const { stack } = await openStack({ env: { ...heapProbeEnv, ...clientKey.settings } });
  const ordinary: Sent = { method: "POST", path: session, headers: json, body: "{}" };
  /** Number of live exchanges without any request but that of the measurement. */
  let idle: number;

  before(async () => {
    await sendMany(stack.app, 500, ordinary);
    ({ exchanges: idle } = await measureHeap(stack.app));
    for (;;) {
      const { exchanges } = await measureHeap(stack.app);
      if (exchanges === idle) break;
      idle = Math.min(idle, exchanges);
    }
  });

  test("keeps no more of an invalid Headers property than of any other request", async () => {
    const count = 2000;
    const bytesKept = async (sent: Sent) => {
      const earlier = await settledHeap(stack.app, idle);
      assert.deepEqual([...(await sendMany(stack.app, count, sent))], [["401 Unspecified", count]]);
      return (await settledHeap(stack.app, idle)).bytes - earlier.bytes;
    };
    const usual = await bytesKept(ordinary);
    for (const [name, sent] of Object.entries(poisoned)) {
      const more = (await bytesKept(sent)) - usual;
      // With the streaming of the library it is 8 MiB and more.
      assert.ok(more < 4 * mebibyte, `${more} bytes more for ${name}`);
    }
  });

  const post = `POST ${session} HTTP/1.1\r\nhost: localhost\r\n`;
  const begun = [
    "GET /api/devices/a/outcomes HTTP/1.1\r\nhost: localhost\r\n\r\n",
    `${post}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
    `${post}content-type: application/json\r\ncontent-length: 500\r\n\r\n{"live`,
    `${post}content-type: application/json\r\ncontent-length: 2000000\r\n\r\n{"live`,
    `${post}content-type: multipart/form-data; boundary=b\r\ncontent-length: 500\r\n\r\n--b`,
    `${post}transfer-encoding: chunked\r\n\r\n5\r\n{"liv`,
    `${post}content-`,
  ];
  test("keeps nothing of clients that disconnect within a request or an answer", async () => {
    for (const text of begun) await hangUpMany(stack.app, 100, text);
    await settledHeap(stack.app, idle);
  });

  test("keeps nothing of requests with an invocation id chosen by the caller", async () => {
    const ids = ["error", "__proto__", "constructor", "f2f0c0de-0000-4000-8000-000000000000"];
    const answers = await Promise.all(
      ids.map((id) => sendMany(stack.app, 1, { ...ordinary, headers: { ...json, "x-ms-invocation-id": id } })),
    );
    for (const answer of answers) assert.deepEqual([...answer], [["400 BadArgument", 1]]);
    await settledHeap(stack.app, idle);
  });
});

describe("with the library's own streaming, as in the real worker", { timeout }, () => {
  test("an invalid Headers property is an empty 500 and leaks the request", async (t) => {
    const host = await startTinyApp(t, { env: heapProbeEnv });
    const { exchanges } = await measureHeap(host);
    const count = 100;
    for (const sent of [
      { path: `/things/1?Headers=${encodeURIComponent(notHeaders)}` },
      { method: "POST", path: "/things/1", headers: json, body: `{"Headers":${notHeaders}}` },
    ]) {
      assert.deepEqual([...(await sendMany(host, count, sent))], [["500", count]]);
    }
    const { exchanges: kept } = await measureHeap(host);
    // A request, its response and its socket.
    assert.ok(kept - exchanges >= 2 * 3 * count, `${kept - exchanges} are kept`);
  });

  test("the invocation id `error`, chosen by the caller, ends the process", async (t) => {
    const host = await startTinyApp(t);
    await sendMany(host, 1, { path: "/things/1", headers: { "x-ms-invocation-id": "error" } }).catch(() => undefined);
    assert.equal(await host.exited, 1);
    assert.match(host.output(), /critical host: Uncaught exception: .*ERR_UNHANDLED_ERROR|Unhandled error/);
  });
});
