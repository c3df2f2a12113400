import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { ApiError } from "../../../src/errors.ts";
import { makeImage } from "../../fixtures/images.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { play, realFace, tokenOf } from "../fakes/face-service.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { createWorld, type World } from "../fakes/world.ts";

const service = { headers: clientKey.headers };
const path = "/face/v1.2/detectLiveness-sessions";
const verifyPath = "/face/v1.2/detectLivenessWithVerify-sessions";
const body = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
const codeOf = (json: unknown) => z.object({ error: z.object({ code: z.string() }) }).parse(json).error.code;
const idOf = (json: unknown) => z.object({ sessionId: z.string() }).parse(json).sessionId;

const appOf = (world: World) => ({ app: createApp(world.start(), clientKey.settings) });
const create = (world: World, sent: Sent = { json: body }, at = path) =>
  call(appOf(world), "POST", at, { ...sent, headers: { ...service.headers, ...sent.headers } });
const get = (world: World, id: string, sent: Sent = service) => call(appOf(world), "GET", `${path}/${id}`, sent);
const remove = (world: World, id: string, sent: Sent = service) => call(appOf(world), "DELETE", `${path}/${id}`, sent);

/** A form as `fetch` writes it. */
async function form(fields: Record<string, string | File>): Promise<Sent> {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  const response = new Response(data);
  const body = await response.bytes();
  return { body, headers: { "content-type": response.headers.get("content-type") ?? "" } };
}

describe("creating a session", () => {
  test("responds in the dialect, with the app's additional headers", async () => {
    const world = createWorld();
    const answer = await create(world);
    const sessionId = idOf(answer.json);
    assert.deepEqual(
      [answer.status, answer.json],
      [200, { sessionId, authToken: tokenOf(sessionId), status: "NotStarted", results: { attempts: [] } }],
    );
    assert.equal(answer.headers.get("x-session-expires-on"), "2026-03-01T12:10:00.000Z");
    assert.equal(answer.headers.get("apim-request-id"), "request-1");
    assert.equal(answer.headers.has("x-reference-image-id"), false);
    assert.deepEqual(answer.lines, []);
  });

  test("records the user as owner, and the client's name", async () => {
    const world = createWorld();
    await create(world, { json: body, headers: { ...service.headers, ...principal("alice") } });
    const { owner, clientName } = world.record();
    assert.deepEqual([owner, clientName], [ownerOf("alice"), "a-service"]);
  });

  test("accepts a verify image in a form, or the id of a stored one in JSON", async () => {
    const world = createWorld();
    const file = new File([makeImage()], "face.jpg", { type: "image/jpeg" });
    const uploaded = await create(world, await form({ ...body, verifyImage: file }), verifyPath);
    assert.equal(uploaded.status, 200);
    assert.equal(uploaded.headers.get("x-reference-image-id"), world.record().creationId);
    await call(appOf(world), "PUT", "/api/reference-images/a-face", { ...service, body: makeImage() });
    const held = await create(world, { json: { ...body, referenceImageId: "a-face" } }, verifyPath);
    assert.deepEqual([held.status, held.headers.get("x-reference-image-id")], [200, "a-face"]);
  });

  test("refuses unsupported media types, and a form for kind liveness", async () => {
    const world = createWorld();
    for (const sent of [{ body: "x" }, { body: "{}", headers: { "content-type": "text/plain" } }, await form(body)]) {
      const answer = await create(world, sent);
      assert.deepEqual([answer.status, codeOf(answer.json)], [415, "BadArgument"]);
    }
  });

  test("refuses invalid bodies with the service's codes, without storage requests", async () => {
    const process = createWorld().start();
    const app = createApp(process, clientKey.settings);
    for (const [json, code] of [
      [{}, "InvalidLivenessOperationMode"],
      [{ ...body, unknown: 1 }, "InvalidRequestBody"],
      [{ ...body, authTokenTimeToLiveInSeconds: 59 }, "InvalidTokenLifetime"],
      [{ ...body, deviceCorrelationId: "" }, "InvalidDeviceCorrelationId"],
      [{ ...body, deviceCorrelationIdSetInClient: true }, "InvalidDeviceCorrelationId"],
      [null, "InvalidRequestBody"],
    ] as const) {
      const answer = await call({ app }, "POST", path, { ...service, json });
      assert.deepEqual([answer.status, codeOf(answer.json)], [400, code], JSON.stringify(json));
      assert.equal(answer.headers.get("x-ms-error-code"), code);
    }
    assert.deepEqual(process.calls.names, []);
  });

  test("passes on an error of the service with Retry-After and request id", async () => {
    const busy = new ApiError(429, "429", "Rate limit is exceeded. Try again in 3 seconds.", {
      retryAfter: "3",
      headers: { "apim-request-id": "the-request" },
    });
    const process = createWorld().start(({ name }) => (name === "face.create" ? busy : undefined));
    const answer = await call({ app: createApp(process, clientKey.settings) }, "POST", path, {
      ...service,
      json: body,
    });
    assert.deepEqual(
      [answer.status, answer.json],
      [429, { error: { code: "429", statusCode: 429, message: "Rate limit is exceeded. Try again in 3 seconds." } }],
    );
    assert.deepEqual([answer.headers.get("retry-after"), answer.headers.get("apim-request-id")], ["3", "the-request"]);
  });

  test("discloses nothing of an unexpected failure, and logs no token", async () => {
    const world = createWorld();
    const process = world.start(({ name, nth }) =>
      name === "sessions.transact" && nth === 2 ? new Error("s3cr3t table") : undefined,
    );
    const answer = await call({ app: createApp(process, clientKey.settings) }, "POST", path, {
      ...service,
      json: body,
    });
    assert.deepEqual([answer.status, codeOf(answer.json)], [500, "InternalServerError"]);
    assert.equal(/s3cr3t|secret-token/.test(answer.text), false);
    assert.equal(JSON.stringify(answer.lines).includes("secret-token"), false);
    assert.deepEqual(
      answer.lines.map(({ fields }) => fields.function),
      ["createLivenessSession"],
    );
  });
});

describe("reading a session in the dialect", () => {
  test("returns the state without a token, even if the service sends one", async () => {
    const world = createWorld();
    const sessionId = idOf((await create(world)).json);
    const session = world.service.live.get(sessionId);
    assert.ok(session);
    session.state.authToken = session.authToken;
    play(world.service, sessionId, realFace());
    const answer = await get(world, sessionId);
    assert.equal(answer.status, 200);
    assert.equal(answer.text.includes("secret-token"), false);
    assert.deepEqual(answer.json, {
      sessionId,
      status: "Succeeded",
      results: { attempts: [{ attemptId: 1, attemptStatus: "Succeeded", ...realFace() }] },
    });
    assert.equal(answer.headers.get("apim-request-id"), "request-of-get");
    assert.equal(world.record().decision, "accepted");
  });

  test("404 for the other kind, for other users, and after deletion", async () => {
    const world = createWorld();
    const sessionId = idOf((await create(world)).json);
    const notFound = async (answer: ReturnType<typeof get>) => {
      const { status, json } = await answer;
      assert.deepEqual([status, codeOf(json)], [404, "SessionNotFound"]);
    };
    await notFound(call(appOf(world), "GET", `${verifyPath}/${sessionId}`, service));
    await notFound(get(world, sessionId, { headers: principal("alice") }));
    await notFound(remove(world, sessionId, { headers: principal("alice") }));
    await notFound(get(world, "a%2Fb"));
    const removed = await remove(world, sessionId);
    assert.deepEqual([removed.status, removed.bytes.byteLength], [204, 0]);
    await notFound(get(world, sessionId));
    await notFound(remove(world, sessionId));
    const kept = await call(appOf(world), "GET", `/api/sessions/${sessionId}`, service);
    assert.equal(kept.status, 200);
  });

  test("works in every dialect for the same session", async () => {
    const world = createWorld();
    const sessionId = idOf((await create(world)).json);
    for (const version of ["v1.1-preview.1", "v1.2-preview.1"]) {
      const at = `/face/${version}/detectLiveness/singleModal/sessions/${sessionId}`;
      const answer = await call(appOf(world), "GET", at, service);
      const { id, status } = z.object({ id: z.string(), status: z.string() }).parse(answer.json);
      assert.deepEqual([answer.status, id, status], [200, sessionId, "NotStarted"]);
    }
    const removed = await call(
      appOf(world),
      "DELETE",
      `/face/v1.1-preview.1/detectLiveness/singleModal/sessions/${sessionId}`,
      service,
    );
    assert.deepEqual([removed.status, removed.bytes.byteLength], [200, 0]);
  });
});
