import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { brotliDecompressSync } from "node:zlib";
import { describeApi } from "../../infra/openapi/document.ts";
import { endpoints } from "../../src/endpoints.ts";
import { errorGuide } from "../../src/error-guide/guide.ts";
import { clientKey } from "../unit/fakes/principals.ts";
import { assertError } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const root = join(import.meta.dirname, "../..");

describe("the description of the API", async () => {
  const { stack, app } = await openStack({
    env: { ...clientKey.settings, FACE_API_VERSION: "v1.2-preview.1" },
  });

  test("needs no authentication and is the generated document", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    const expected = describeApi(endpoints, version);
    const answer = await app.send("api/openapi.json");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
    assert.deepEqual(answer.body, JSON.parse(JSON.stringify(expected)));
  });

  test("is accompanied by the list of error codes, which needs no authentication either", async () => {
    const answer = await app.send("api/error-codes");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("cache-control"), "public, max-age=3600");
    assert.deepEqual(answer.body, { value: errorGuide });
  });

  test("has a page that loads files of this origin only", async () => {
    const page = await app.send("api/docs");
    assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; /);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    const html = String(page.body);
    assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?:/i);
    const loaded = [...html.matchAll(/<(?:script|link)\b[^>]*\b(?:src|href)="(\/[^"]+)"/g)].map(
      ([, path = ""]) => path,
    );
    assert.equal(loaded.length, 3);
    for (const path of loaded) {
      const asset = await app.send(path.slice(1));
      assert.equal(asset.status, 200, path);
      const type = path.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
      assert.equal(asset.headers.get("content-type"), type);
      assert.equal(asset.headers.get("x-content-type-options"), "nosniff");
    }
    const start = await readFile(join(root, "src/docs/start.js"), "utf8");
    assert.doesNotMatch(start, /https?:/);
    assert.ok(start.includes('"/api/openapi.json"'));
  });

  test("serves the viewer of the package, compressed with Brotli where the client accepts it", async () => {
    const viewer = await readFile(join(root, "node_modules/swagger-ui-dist/swagger-ui-bundle.js"));
    for (const [accepted, isCompressed] of [
      ["br", true],
      ["gzip, deflate, br, zstd", true],
      ["gzip;q=0.8, br;q=1.0", true],
      ["identity", false],
      ["gzip", false],
      ["gzip, br;q=0", false],
      ["", false],
    ] as const) {
      const { encoding, bytes } = await fetchRaw(`${stack.url}/api/docs/swagger-ui-bundle.js`, accepted);
      assert.equal(encoding, isCompressed ? "br" : undefined, accepted);
      assert.deepEqual(isCompressed ? brotliDecompressSync(bytes) : bytes, viewer);
    }
  });

  test("no other file -> 404", async () => {
    const names = "main.cjs page.html openapi.json package.json ..%2fmain.cjs swagger-ui.css.br __proto__";
    for (const name of names.split(" ")) {
      assertError(await app.send(`api/docs/${name}`), 404, "ResourceNotFound");
    }
    for (const path of ["api/docs", "api/openapi.json", "api/docs/start.js", "api/error-codes"]) {
      assertError(await app.send(path, { method: "POST" }), 405, "MethodNotAllowed");
    }
  });
});

/** The body before decompression. */
async function fetchRaw(url: string, accepted: string) {
  const [response] = await once(get(url, { headers: { "accept-encoding": accepted } }), "response");
  return { encoding: response.headers["content-encoding"], bytes: await buffer(response) };
}
