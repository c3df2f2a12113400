import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError, creation, playAttempt, verifyCreation, verifySessionsPath } from "./support/app-client.ts";
import { checkAnswer } from "./support/described-answers.ts";
import { openStack } from "./support/open-stack.ts";

describe("reference images", async () => {
  const { stack, app } = await openStack();

  const put = (id: string, body: Buffer, headers: Record<string, string> = {}) =>
    app.send(`api/reference-images/${id}`, { method: "PUT", body, headers });

  test("the type of each of the four formats comes from the bytes, not from the request's media type", async () => {
    for (const format of ["png", "jpeg", "gif", "bmp"] as const) {
      const image = makeImage({ type: format });
      const id = randomUUID();
      const path = `api/reference-images/${id}`;
      const stored = await put(id, image, { "content-type": "text/html" });
      assert.equal(stored.status, 201, JSON.stringify(stored.body));
      const url = `${stack.url}/${path}`;
      const read = await fetch(url);
      checkAnswer("GET", url, { status: read.status, headers: read.headers, text: "" });
      assert.deepEqual([read.status, read.headers.get("content-type")], [200, `image/${format}`]);
      assert.equal(read.headers.get("x-content-type-options"), "nosniff");
      assert.deepEqual(Buffer.from(await read.arrayBuffer()), image);
      const { body } = await app.send(`${path}/metadata`);
      const sha256 = createHash("sha256").update(image).digest("hex");
      assert.partialDeepStrictEqual(body, { sha256, contentType: `image/${format}`, referenceImageId: id });
      assert.equal((await app.send(path, { method: "DELETE" })).status, 204);
      assertError(await app.send(path), 404, "ResourceNotFound");
      assertError(await app.send(path, { method: "DELETE" }), 404, "ResourceNotFound");
    }
  });

  test("invalid image -> 400, body over the limit -> 413", async () => {
    assertError(await put("bad", Buffer.alloc(2000, 1)), 400, "InvalidImage");
    assertError(await put("bad", makeImage().subarray(0, 1000)), 400, "InvalidImageSize");
    assertError(await put("bad", makeImage({ sizeInBytes: 9 * 1024 * 1024 })), 413, "RequestBodyTooLarge");
    assertError(await app.send("api/reference-images/bad"), 404, "ResourceNotFound");
  });

  test("If-Match and If-None-Match hold for PUT, GET and DELETE", async () => {
    const id = randomUUID();
    const path = `api/reference-images/${id}`;
    const first = (await put(id, makeImage(), { "if-none-match": "*" })).headers.get("etag") ?? assert.fail();
    assertError(await put(id, makeImage({ width: 64 }), { "if-none-match": "*" }), 412, "ConditionNotMet");
    const second = await put(id, makeImage({ width: 64 }), { "if-match": first });
    assert.equal(second.status, 200);
    assertError(await put(id, makeImage(), { "if-match": first }), 412, "ConditionNotMet");
    const current = second.headers.get("etag") ?? assert.fail();
    const cached = await app.send(path, { headers: { "if-none-match": current } });
    assert.deepEqual([cached.status, cached.body], [304, ""]);
    assertError(await app.send(path, { method: "DELETE", headers: { "if-match": first } }), 412, "ConditionNotMet");
    assert.equal((await app.send(path, { method: "DELETE", headers: { "if-match": current } })).status, 204);
  });

  test("a held image opens sessions by JSON and by form", async () => {
    const id = randomUUID();
    await put(id, makeImage());
    const device = randomUUID();
    const form = verifyCreation(device, { referenceImageId: id });
    assert.ok(form.body instanceof FormData);
    form.body.delete("verifyImage");
    for (const request of [creation(device, { referenceImageId: id }), form]) {
      const opened = await app.send(verifySessionsPath, request);
      assert.equal(opened.status, 200, JSON.stringify(opened.body));
      assert.equal(opened.headers.get("x-reference-image-id"), id);
      const session = opened.body as { sessionId: string; authToken: string };
      await playAttempt(stack.emulator, session, { scenario: "realface", matchConfidence: 0.3 });
      const settled = await app.settle(session.sessionId);
      assert.partialDeepStrictEqual(settled, {
        decision: "rejected",
        reasons: ["FaceNotMatched"],
        referenceImageId: id,
      });
    }
    const missing = creation(device, { referenceImageId: "unknown" });
    assertError(await app.send(verifySessionsPath, missing), 400, "ReferenceImageNotFound");
    assert.equal((await app.outcomes(device)).value.length, 2, "the refused creation leaves nothing");
  });
});
