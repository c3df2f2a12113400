import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError, playAttempt } from "./support/app-client.ts";
import { checkAnswer } from "./support/described-answers.ts";
import { openStack } from "./support/open-stack.ts";

describe("reference images", async () => {
  const { stack, app } = await openStack();

  const put = (id: string, body: Buffer, headers: Record<string, string> = {}) =>
    app.send(`api/reference-images/${id}`, { method: "PUT", body, headers });

  test("keeps the four formats by their bytes, whatever they are called", async () => {
    for (const [type, image] of [
      ["image/png", makeImage({ type: "png" })],
      ["image/jpeg", makeImage({ type: "jpeg" })],
      ["image/gif", makeImage({ type: "gif" })],
      ["image/bmp", makeImage({ type: "bmp" })],
    ] as const) {
      const id = randomUUID();
      const stored = await put(id, image, { "content-type": "text/html" });
      assert.equal(stored.status, 201, JSON.stringify(stored.body));
      const url = `${stack.url}/api/reference-images/${id}`;
      const read = await fetch(url);
      checkAnswer("GET", url, { status: read.status, headers: read.headers, text: "" });
      assert.deepEqual([read.status, read.headers.get("content-type")], [200, type]);
      assert.equal(read.headers.get("x-content-type-options"), "nosniff");
      assert.deepEqual(Buffer.from(await read.arrayBuffer()), image);
      const { body } = await app.send(`api/reference-images/${id}/metadata`);
      const facts = body as Record<string, unknown>;
      assert.equal(facts.sha256, createHash("sha256").update(image).digest("hex"));
      assert.deepEqual([facts.contentType, facts.referenceImageId], [type, id]);
      assert.equal((await app.send(`api/reference-images/${id}`, { method: "DELETE" })).status, 204);
      assertError(await app.send(`api/reference-images/${id}`), 404, "ResourceNotFound");
      assertError(await app.send(`api/reference-images/${id}`, { method: "DELETE" }), 404, "ResourceNotFound");
    }
  });

  test("refuses what is no image, too small, too large or a claimed giant", async () => {
    const svg = Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">${" ".repeat(2000)}</svg>`,
    );
    assertError(await put("bad", svg), 400, "InvalidImage");
    assertError(await put("bad", Buffer.alloc(2000, 1)), 400, "InvalidImage");
    assertError(await put("bad", makeImage({ width: 5000 })), 400, "InvalidImage");
    assertError(await put("bad", makeImage({ width: 35 })), 400, "InvalidImage");
    assertError(await put("bad", Buffer.alloc(0)), 400, "InvalidImageSize");
    assertError(await put("bad", makeImage().subarray(0, 1000)), 400, "InvalidImageSize");
    assertError(await put("bad", makeImage({ sizeInBytes: 6 * 1024 * 1024 + 1 })), 400, "InvalidImageSize");
    assertError(await put("bad", makeImage({ sizeInBytes: 9 * 1024 * 1024 })), 413, "RequestBodyTooLarge");
    assertError(await put("a.b", makeImage()), 404, "ResourceNotFound");
    assertError(await app.send("api/reference-images/bad"), 404, "ResourceNotFound");
  });

  test("replaces only what the caller has seen", async () => {
    const id = randomUUID();
    const first = await put(id, makeImage(), { "if-none-match": "*" });
    assert.equal(first.status, 201);
    const etag = first.headers.get("etag") ?? "";
    assertError(await put(id, makeImage({ width: 64 }), { "if-none-match": "*" }), 412, "ConditionNotMet");
    assertError(await put(id, makeImage({ width: 64 }), { "if-match": '"0x1"' }), 412, "ConditionNotMet");
    const second = await put(id, makeImage({ width: 64 }), { "if-match": etag });
    assert.equal(second.status, 200);
    assertError(await put(id, makeImage(), { "if-match": etag }), 412, "ConditionNotMet");
    const current = second.headers.get("etag") ?? "";
    const cached = await app.send(`api/reference-images/${id}`, { headers: { "if-none-match": current } });
    assert.deepEqual([cached.status, cached.body], [304, ""]);
    const path = `api/reference-images/${id}`;
    assertError(await app.send(path, { method: "DELETE", headers: { "if-match": etag } }), 412, "ConditionNotMet");
    assert.equal((await app.send(path, { method: "DELETE", headers: { "if-match": current } })).status, 204);
  });

  test("opens sessions with a held image, by JSON and by multipart, and checks which image was used", async () => {
    const id = randomUUID();
    await put(id, makeImage());
    const device = randomUUID();
    const form = new FormData();
    for (const [name, value] of Object.entries({ livenessOperationMode: "Passive", deviceCorrelationId: device })) {
      form.set(name, value);
    }
    form.set("referenceImageId", id);
    const path = "face/v1.2/detectLivenessWithVerify-sessions";
    const json = { livenessOperationMode: "Passive", deviceCorrelationId: device, referenceImageId: id };
    for (const request of [{ json }, { body: form }]) {
      const opened = await app.send(path, { ...request, method: "POST" });
      assert.equal(opened.status, 200, JSON.stringify(opened.body));
      assert.equal(opened.headers.get("x-reference-image-id"), id);
      const session = opened.body as { sessionId: string; authToken: string };
      await playAttempt(stack.emulator, session, { scenario: "realface", matchConfidence: 0.3 });
      await app.send(`${path}/${session.sessionId}`);
      const stored = await app.session(session.sessionId);
      assert.deepEqual([stored.decision, stored.reasons], ["rejected", ["FaceNotMatched"]]);
      assert.equal(stored.referenceImageId, id);
    }
    assertError(
      await app.send(path, { json: { ...json, referenceImageId: "unknown" } }),
      400,
      "ReferenceImageNotFound",
    );
    assert.equal((await app.outcomes(device)).value.length, 2, "what was refused left nothing behind");
  });
});
