import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { build } from "../../../infra/build.ts";
import { listen } from "../../local/ports.ts";

test("a bundle sends requests through the proxy of its environment", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "stubs-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const tunnels: string[] = [];
  const proxy = createServer(({ url }, response) => response.end(`by proxy: ${url}`));
  proxy.on("connect", ({ url = "" }, socket) => {
    tunnels.push(url);
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  const url = `http://127.0.0.1:${await listen(proxy)}`;
  t.after(() => proxy.close());
  const entry = join(import.meta.dirname, "../../fixtures/proxied-request.ts");
  const { outFolder } = await build({ entry, outFolder: join(folder, "app") });

  const request = async (target: string) => {
    const env = { PATH: process.env.PATH, HTTP_PROXY: url, HTTPS_PROXY: url };
    return (await promisify(execFile)(process.execPath, [join(outFolder, "main.cjs"), target], { env })).stdout;
  };
  assert.equal(await request("http://face.invalid/a"), "200 by proxy: http://face.invalid/a");
  assert.match(await request("https://face.invalid/b"), /^403 /);
  assert.deepEqual(tunnels, ["face.invalid:443"]);
});

test("a bundle publishes events to Event Grid as the library does", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "stubs-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const entry = join(import.meta.dirname, "../../fixtures/published-event.ts");
  const { outFolder, bytes } = await build({ entry, outFolder: join(folder, "app") });
  const run = async (file: string) => (await promisify(execFile)(process.execPath, [file])).stdout;
  const [bundled, library] = await Promise.all([run(join(outFolder, "main.cjs")), run(entry)]);
  assert.match(library, /^\[\{"id":"one",.*"reasons":\["DigestMatched"\].*\}\]\ndelivered$/);
  assert.equal(bundled, library);
  assert.ok(bytes < 400_000, `the shapes of other events are left out: ${bytes}`);
});
