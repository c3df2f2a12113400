import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { sessionResource } from "../../../src/functions/session-resource.ts";
import { recordResult } from "../../../src/liveness/result/record-result.ts";
import { call, createApp, plus, type Sent, send, service, user } from "../fakes/app.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { clientKey, ownerOf } from "../fakes/principals.ts";
import { newRecord, seedWorld } from "../fakes/seed.ts";
import { createWorld, startOfTime, type World } from "../fakes/world.ts";

const alice = user("alice");
const bob = user("bob");

const read = (world: World, id: string, sent: Sent = service, rest = "") =>
  send(world, "GET", `/api/sessions/${id}${rest}`, sent);
const settle = (world: World, id: string, json: unknown = {}, sent: Sent = service) =>
  send(world, "POST", `/api/sessions/${id}/settle`, { ...sent, json });

const seedOwned = (...attempts: Parameters<typeof play>[2][]) => seedWorld({ owner: ownerOf("alice") }, ...attempts);

describe("the session resource", () => {
  test("contains the public fields of a record, and the owner for services only", () => {
    const record = newRecord(startOfTime, {
      ...{ clientReferenceId: "an-order", referenceImageId: "a-face", decision: "accepted", reasons: ["RealFace"] },
      ...{ clientName: "a-service", owner: "alice", threshold: 0.5, clientDigest: "q83v" },
      settledOn: "2026-03-01T12:05:00.000Z",
    });
    const shown = {
      ...{ sessionId: record.sessionId, kind: "liveness", deviceCorrelationId: "a-device", apiVersion: "v1.2" },
      ...{ clientReferenceId: "an-order", referenceImageId: "a-face" },
      ...{ createdOn: "2026-03-01T12:00:00.000Z", tokenExpiresOn: "2026-03-01T12:10:00.000Z" },
      ...{ expiresOn: "2026-03-03T12:00:00.000Z", status: "NotStarted", attempts: 0, attemptsLeft: 3 },
      ...{ final: false, decision: "accepted", reasons: ["RealFace"], revision: 0, nextAction: "done" },
    };
    assert.deepEqual(sessionResource(record, { trusted: false }, startOfTime), shown);
    assert.deepEqual(sessionResource(record, { trusted: true }, startOfTime), { ...shown, owner: "alice" });
  });

  test("has no properties for absent values", () => {
    const { deviceCorrelationId: _, ...record } = newRecord(startOfTime);
    const shown = sessionResource(record, { trusted: true }, startOfTime);
    for (const name of ["owner", "deviceCorrelationId", "clientReferenceId", "decision", "referenceImageId"]) {
      assert.equal(name in shown, false, name);
    }
  });
});

test("a session is read from the tables only, also after the service has deleted it", async () => {
  const { world, sessionId, record } = await seedOwned();
  world.advance({ days: 30 });
  const process = world.start();
  const app = createApp(process, clientKey.settings);
  const answer = await call({ app }, "GET", `/api/sessions/${sessionId}`, service);
  assert.deepEqual([answer.status, answer.json], [200, sessionResource(record, { trusted: true }, world.now())]);
  assert.deepEqual(process.calls.names, ["sessionids.get", "sessions.get"]);
});

test("every route of another user's session answers 404 and changes nothing", async () => {
  const { world, sessionId: id } = await seedOwned(realFace());
  const before = world.everything();
  const unknown = await read(world, "unknown", alice);
  assert.deepEqual([unknown.status, unknown.code], [404, "SessionNotFound"]);
  const answers = [
    await read(world, id, bob),
    await read(world, id, bob, "/audit-entries"),
    await settle(world, id, { digest: "wrong" }, bob),
  ];
  for (const answer of answers) assert.deepEqual([answer.status, answer.json], [404, unknown.json]);
  assert.deepEqual(world.everything(), before);
  assert.equal((await read(world, id, alice)).status, 200);
  assert.equal((await settle(world, id, {}, alice)).status, 200);
});

test("a report with unknown fields, invalid values or another media type is refused", async () => {
  const { world, sessionId: id } = await seedOwned();
  for (const json of [
    ...[null, [], "x", 1, { unknown: 1 }, { digest: "" }, { digest: 1 }, { digest: "d".repeat(513) }],
    // Two UTF-16 code units each.
    ...[{ deviceCorrelationId: "\u{1f600}".repeat(33) }, { clientError: "\u{1f600}".repeat(129) }],
    ...[{ deviceCorrelationId: "d".repeat(65) }, { clientError: "" }, { clientError: "\ud800" }, { digest: null }],
  ]) {
    const answer = await settle(world, id, json);
    assert.deepEqual([answer.status, answer.code], [400, "InvalidRequestBody"], JSON.stringify(json));
  }
  for (const [type, body, status] of [
    ["application/json", '{"__proto__":{"digest":"x"}}', 400],
    ["text/plain", "digest=1", 415],
  ] as const) {
    const sent = plus(service, { headers: { "content-type": type }, body });
    assert.equal((await send(world, "POST", `/api/sessions/${id}/settle`, sent)).status, status);
  }
});

test("the audit entries of a session are returned as stored, newest first", async () => {
  const { world, sessionId: id } = await seedOwned();
  assert.deepEqual((await read(world, id, service, "/audit-entries")).json, { value: [] });
  play(world.service, id, failedAttempt("TimedOut"));
  play(world.service, id, realFace());
  await settle(world, id);
  const receivedOn = "2026-03-01T12:00:00.000Z";
  assert.deepEqual((await read(world, id, service, "/audit-entries")).json, {
    value: [
      { entryId: "2", receivedOn, attemptId: 2, attemptStatus: "Succeeded", ...realFace() },
      { entryId: "1", receivedOn, attemptId: 1, attemptStatus: "Failed", ...failedAttempt("TimedOut") },
    ],
  });
});

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
