import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { recordResult } from "../../../src/liveness/result/record-result.ts";
import { call, createApp, type Sent, send, service, user } from "../fakes/app.ts";
import { realFace } from "../fakes/face-service.ts";
import { clientKey, ownerOf } from "../fakes/principals.ts";
import { seedWorld } from "../fakes/seed.ts";
import { createWorld } from "../fakes/world.ts";

const path = "/face/v1.2/detectLiveness-sessions";
const previews = "/face/v1.2-preview.1/detectLiveness/singleModal/sessions";
const body = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

describe("invalid requests are refused without calls of storage and the Face service:", async () => {
  const { world, sessionId } = await seedWorld({ apiVersion: "v1.2-preview.1" });
  const process = world.start();
  const app = createApp(process, clientKey.settings);

  for (const [json, code] of [
    [{}, "InvalidLivenessOperationMode"],
    [{ ...body, unknown: 1 }, "InvalidRequestBody"],
    [{ ...body, authTokenTimeToLiveInSeconds: 59 }, "InvalidTokenLifetime"],
    [{ ...body, deviceCorrelationId: "" }, "InvalidDeviceCorrelationId"],
    [{ ...body, deviceCorrelationIdSetInClient: true }, "InvalidDeviceCorrelationId"],
    [null, "InvalidRequestBody"],
  ] as const) {
    test(`the body ${JSON.stringify(json)}`, async () => {
      const answer = await call({ app }, "POST", path, { ...service, json });
      assert.deepEqual([answer.status, answer.code, answer.headers.get("x-ms-error-code")], [400, code, code]);
      assert.deepEqual(process.calls.names, []);
    });
  }

  const pages = ["top=0", "top=1001", "top=-1", "top=1e2", "top=", "top=1&top=x"];
  const starts = [`start=${"a".repeat(65)}`, `start=${"%C3%A9".repeat(65)}`];
  const entries = ["start=x", "start=-1", "start=1.5", `start=${"1".repeat(20)}`];
  for (const [at, queries] of [
    [previews, [...pages, ...starts]],
    [`${previews}/${sessionId}/audit`, [...pages, ...starts, ...entries]],
  ] as const) {
    test(`paging parameters of ${at}`, async () => {
      for (const query of queries) {
        const answer = await call({ app }, "GET", at, { ...service, query: `?${query}` });
        assert.deepEqual([answer.status, answer.code], [400, "BadArgument"], query);
      }
      assert.deepEqual(process.calls.names, []);
    });
  }
});

test("an error of the service is passed on with Retry-After and request id", async () => {
  const message = "Rate limit is exceeded. Try again in 3 seconds.";
  const busy = new ApiError(429, "429", message, { retryAfter: "3", headers: { "apim-request-id": "the-request" } });
  const process = createWorld().start(({ name }) => (name === "face.create" ? busy : undefined));
  const answer = await call({ app: createApp(process) }, "POST", path, { json: body });
  assert.deepEqual([answer.status, answer.json], [429, { error: { code: "429", statusCode: 429, message } }]);
  assert.deepEqual([answer.headers.get("retry-after"), answer.headers.get("apim-request-id")], ["3", "the-request"]);
});

describe("the image of an attempt", () => {
  const image = { bytes: Uint8Array.from([1, 2, 3]), contentType: "image/webp" };

  /** A session of Alice's with a recorded attempt whose image the service stores. */
  async function seeded() {
    const attempt = realFace({ sessionImageId: "an-image" });
    const { world, stored } = await seedWorld({ owner: ownerOf("alice") }, attempt);
    world.service.sessionImages.set("an-image", image);
    await recordResult(world.start().deps, stored);
    return world;
  }

  test("is read from the service for callers who may see the session, in each dialect with images", async () => {
    const world = await seeded();
    for (const sent of [service, user("alice"), user("x", "Liveness.Service")]) {
      for (const at of ["v1.2/sessionImages", "v1.2-preview.1/session/sessionImages"]) {
        const { status, bytes, headers } = await send(world, "GET", `/face/${at}/an-image`, sent);
        assert.deepEqual([status, bytes], [200, Buffer.from(image.bytes)]);
        assert.equal(headers.get("content-type"), image.contentType);
        assert.equal(headers.get("apim-request-id"), "request-of-image");
      }
    }
  });

  test("with an invalid id, or of another user's session: 404 without a call of the service; 404 also if it has no such image", async () => {
    const process = (await seeded()).start();
    const app = createApp(process, clientKey.settings);
    const assertMissing = async (id: string, sent: Sent = service) => {
      const answer = await call({ app }, "GET", `/face/v1.2/sessionImages/${id}`, sent);
      assert.deepEqual([answer.status, answer.code], [404, "SessionImageNotFound"], id);
    };
    for (const id of ["a%2Fb", "%2e%2e%2fx", "a%20b", "x".repeat(129), "%C3%A4"]) await assertMissing(id);
    assert.equal(process.calls.names.length, 0);
    await assertMissing("an-image", user("bob"));
    assert.equal(process.calls.names.includes("face.sessionImage"), false);
    await assertMissing("another-image");
  });
});
