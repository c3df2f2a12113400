import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { recordResult } from "../../../src/liveness/result/record-result.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, type World } from "../fakes/world.ts";

const image = { bytes: Uint8Array.from([1, 2, 3]), contentType: "image/webp" };
const service = { headers: clientKey.headers };
const codeOf = (json: unknown) => z.object({ error: z.object({ code: z.string() }) }).parse(json).error.code;

const get = (world: World, sent: Sent = service, at = "/face/v1.2/sessionImages/an-image") =>
  call({ app: createApp(world.start(), clientKey.settings) }, "GET", at, sent);

/** A session of Alice's with a recorded attempt whose image the service stores. */
async function seeded(): Promise<World> {
  const world = createWorld();
  const stored = await seedSession(world, { owner: ownerOf("alice") });
  world.service.sessionImages.set("an-image", image);
  play(world.service, stored.record.sessionId, realFace({ sessionImageId: "an-image" }));
  await recordResult(world.start().deps, stored);
  return world;
}

describe("the image of an attempt", () => {
  test("is read from the service for callers who may see the session, in each dialect with images", async () => {
    const world = await seeded();
    for (const sent of [service, { headers: principal("alice") }, { headers: principal("x", "Liveness.Service") }]) {
      for (const at of ["v1.2/sessionImages", "v1.2-preview.1/session/sessionImages"]) {
        const answer = await get(world, sent, `/face/${at}/an-image`);
        assert.deepEqual([answer.status, answer.bytes], [200, Buffer.from(image.bytes)]);
        assert.equal(answer.headers.get("content-type"), image.contentType);
        assert.equal(answer.headers.get("apim-request-id"), "request-of-image");
        assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
      }
    }
  });

  test("404 for other users, without a call of the service", async () => {
    const world = await seeded();
    const process = world.start();
    const app = createApp(process, clientKey.settings);
    const answer = await call({ app }, "GET", "/face/v1.2/sessionImages/an-image", { headers: principal("bob") });
    assert.deepEqual([answer.status, codeOf(answer.json)], [404, "SessionImageNotFound"]);
    assert.equal(process.calls.names.includes("face.sessionImage"), false);
  });

  test("404 if the service has no such image", async () => {
    const answer = await get(createWorld());
    assert.deepEqual([answer.status, codeOf(answer.json)], [404, "SessionImageNotFound"]);
  });

  test("404 for invalid ids, without any call", async () => {
    const process = createWorld().start();
    const app = createApp(process, clientKey.settings);
    for (const id of ["a%2Fb", "%2e%2e%2fx", "a%20b", "x".repeat(129), "%C3%A4"]) {
      const answer = await call({ app }, "GET", `/face/v1.2/sessionImages/${id}`, service);
      assert.deepEqual([answer.status, codeOf(answer.json)], [404, "SessionImageNotFound"], id);
    }
    assert.deepEqual(process.calls.names, []);
  });

  test("is not supported in v1.1-preview.1", async () => {
    const answer = await get(createWorld(), service, "/face/v1.1-preview.1/session/sessionImages/an-image");
    assert.deepEqual([answer.status, codeOf(answer.json)], [404, "UnsupportedApiVersion"]);
  });
});
