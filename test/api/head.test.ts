import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { openStack } from "./support/open-stack.ts";

/** Headers that differ between two requests. */
const changing = new Set(["date", "x-ms-invocation-id", "apim-request-id"]);

describe("HEAD", async () => {
  const { stack, app } = await openStack();

  async function send(method: string, path: string) {
    const request = openRequest(`${stack.url}/${path}`, { method, agent: false }).end();
    const [response] = await once(request, "response");
    const headers = Object.entries(response.headers).filter(([name]) => !changing.has(name));
    return { status: response.statusCode, headers: Object.fromEntries(headers), body: await buffer(response) };
  }

  test("has the status and headers of GET, and no body", async () => {
    const { sessionId, deviceCorrelationId } = await app.openSession();
    const image = `api/reference-images/${randomUUID()}`;
    assert.equal((await app.send(image, { method: "PUT", body: makeImage() })).status, 201);
    const paths = [
      "api/health",
      "api/health/ready",
      "api/openapi.json",
      "api/docs",
      "api/docs/start.js",
      `api/sessions/${sessionId}`,
      `api/devices/${deviceCorrelationId}/outcomes`,
      `face/v1.2/detectLiveness-sessions/${sessionId}`,
      image,
      `${image}/metadata`,
      // Errors.
      "api/sessions/unknown",
      "api/unknown",
      "face/v1.2/detectLiveness-sessions",
      "face/v1.2/unknown",
    ];
    for (const path of paths) {
      const [get, head] = [await send("GET", path), await send("HEAD", path)];
      assert.deepEqual([head.status, head.body.length], [get.status, 0], path);
      // An error's message may contain the method.
      if (get.status < 400) assert.equal(head.headers["content-length"], String(get.body.length), path);
      else delete get.headers["content-length"];
      assert.partialDeepStrictEqual(head.headers, get.headers, path);
    }
  });

  test("is in Allow where GET is", async () => {
    for (const [path, allow] of [
      ["api/health", "GET, HEAD"],
      ["face/v1.2/detectLiveness-sessions/an-id", "GET, HEAD, DELETE"],
      ["face/v1.2/detectLivenessWithVerify-sessions", "POST"],
    ] as const) {
      const answer = await app.send(path, { method: "PUT" });
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, allow], path);
    }
    const head = await send("HEAD", "api/devices/a");
    assert.deepEqual([head.status, head.headers.allow, head.body.length], [405, "DELETE", 0]);
  });
});
