import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { asOpenSession, assertError, at, startStandIn } from "./stand-in.ts";

const v12 = "/face/v1.2/detectLiveness-sessions";
const v11 = "/face/v1.1-preview.1/detectLiveness/singleModal/sessions";

test("a session's token is an ES256 JWT with the session id and the emulator's time", async (t) => {
  const emulator = await startStandIn(t);
  await emulator.advance(10_000);
  const earliest = Math.floor(Date.now() / 1000) + 10_000;
  const session = await emulator.open(v12, { authTokenTimeToLiveInSeconds: 90 });
  const claims = decodeJwt(session.authToken);
  assert.equal(decodeProtectedHeader(session.authToken).alg, "ES256");
  assert.equal(claims.sid, session.sessionId);
  assert.equal(Number(claims.exp) - Number(claims.iat), 90);
  assert.ok(earliest <= Number(claims.iat) && Number(claims.iat) <= Date.now() / 1000 + 10_000);
});

test("the status of a v1.2 session: NotStarted, Running after a failed attempt, Succeeded", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12);
  const status = async () => at((await emulator.face(`${v12}/${session.sessionId}`)).json, "status");
  assert.equal(await status(), "NotStarted");

  assertError(await emulator.attempt(session, { scenario: "FaceWithMaskDetected" }), 400, "FaceWithMaskDetected");
  assert.equal(await status(), "Running");

  const played = await emulator.attempt(session, { scenario: "realface" });
  assert.equal(played.status, 200);
  const { json } = await emulator.face(`${v12}/${session.sessionId}`);
  assert.equal(at(json, "status"), "Succeeded");
  assert.equal(at(json, "modelVersion"), "2024-11-15");
  assert.equal(at(json, "authToken"), undefined);
  const attempts = at(json, "results", "attempts");
  assert.deepEqual(
    [at(attempts, 0, "attemptId"), at(attempts, 1, "attemptId")],
    [2, 1],
    "descending, as in the documents",
  );
  assert.equal(at(attempts, 0, "attemptStatus"), "Succeeded");
  assert.equal(at(attempts, 0, "result", "livenessDecision"), "realface");
  assert.equal(at(attempts, 0, "result", "digest"), at(played.json, "digest"));
  assert.equal(at(attempts, 0, "error"), undefined);
  assert.equal(at(attempts, 1, "attemptStatus"), "Failed");
  assert.equal(at(attempts, 1, "error", "code"), "FaceWithMaskDetected");
  assert.equal(at(attempts, 1, "result"), undefined);
});

test("three failed attempts -> Failed, and the token is used up", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12);
  for (const scenario of ["TimedOut", "AnUnknownErrorCode", "NoFaceDetected"]) {
    assertError(await emulator.attempt(session, { scenario }), 400, scenario);
  }
  assertError(await emulator.attempt(session, { scenario: "realface" }), 403, "MaxAttemptsExceeded");
  const { json } = await emulator.face(`${v12}/${session.sessionId}`);
  assert.equal(at(json, "status"), "Failed");
  assert.equal(at(json, "results", "attempts", 1, "error", "code"), "AnUnknownErrorCode");
});

test("a session canceled by the user is Canceled after the token's end", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12, { authTokenTimeToLiveInSeconds: 60 });
  assertError(await emulator.attempt(session, { scenario: "UserCanceledSession" }), 400, "UserCanceledSession");
  assert.equal(at((await emulator.face(`${v12}/${session.sessionId}`)).json, "status"), "Running");
  await emulator.advance(60);
  assert.equal(at((await emulator.face(`${v12}/${session.sessionId}`)).json, "status"), "Canceled");
});

test("a running attempt shows as Running, and the next call ends it", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12);
  assert.deepEqual((await emulator.attempt(session, { scenario: "running" })).json, { attemptId: 1 });
  const running = (await emulator.face(`${v12}/${session.sessionId}`)).json;
  assert.equal(at(running, "status"), "Running");
  assert.equal(at(running, "results", "attempts", 0, "attemptStatus"), "Running");
  assertError(await emulator.attempt(session, { scenario: "running" }), 409, "AttemptInProgress");
  assert.equal((await emulator.attempt(session, { scenario: "spoofface" })).status, 200);
  const { json } = await emulator.face(`${v12}/${session.sessionId}`);
  assert.equal(at(json, "results", "attempts", 0, "result", "livenessDecision"), "spoofface");
  assert.equal(at(json, "results", "attempts", 1), undefined);
});

test("a token is valid for its session only, until its end or the session's deletion", async (t) => {
  const emulator = await startStandIn(t);
  const ended = await emulator.open(v12, { authTokenTimeToLiveInSeconds: 60 });
  const deleted = await emulator.open(v12);
  const other = await emulator.open(v12);
  const attempt = { scenario: "realface" };
  assertError(await emulator.attempt({ ...other, authToken: deleted.authToken }, attempt), 401, "Unspecified");
  assertError(
    await emulator.attempt({ ...other, authToken: `${other.authToken.slice(0, -8)}AAAAAAAA` }, attempt),
    401,
    "Unspecified",
  );
  assertError(await emulator.attempt({ ...other, authToken: emulator.key }, attempt), 401, "Unspecified");
  const url = `/emulator/sessions/${other.sessionId}/attempts`;
  assertError(await emulator.face(url, { json: attempt }), 401, "Unspecified");

  assert.equal((await emulator.face(`${v12}/${deleted.sessionId}`, { method: "DELETE" })).status, 204);
  assertError(await emulator.attempt(deleted, attempt), 404, "SessionNotFound");

  await emulator.advance(61);
  assertError(await emulator.attempt(ended, attempt), 401, "Unspecified");
  assert.equal((await emulator.attempt(other, attempt)).status, 200, "600 seconds are the default");
});

test("a token of another emulator is refused", async (t) => {
  const emulator = await startStandIn(t);
  const stranger = await startStandIn(t);
  const session = await emulator.open(v12);
  const { authToken } = await stranger.open(v12);
  assertError(await emulator.attempt({ ...session, authToken }, { scenario: "realface" }), 401, "Unspecified");
});

test("a session is deleted 48 hours after its creation", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12);
  await emulator.advance(48 * 3600 - 60);
  assert.equal((await emulator.face(`${v12}/${session.sessionId}`)).status, 200);
  await emulator.advance(60);
  assertError(await emulator.face(`${v12}/${session.sessionId}`), 404, "SessionNotFound");
  assertError(await emulator.face(`${v12}/${session.sessionId}`, { method: "DELETE" }), 404, "SessionNotFound");
});

test("DELETE -> the status of its version, then 404", async (t) => {
  const emulator = await startStandIn(t);
  for (const [path, status] of [
    [v11, 200],
    [v12, 204],
  ] as const) {
    const { sessionId } = await emulator.open(path);
    const deleted = await emulator.face(`${path}/${sessionId}`, { method: "DELETE" });
    assert.deepEqual([deleted.status, deleted.text], [status, ""]);
    assertError(await emulator.face(`${path}/${sessionId}`), 404, "SessionNotFound");
    assertError(await emulator.face(`${path}/${sessionId}`, { method: "DELETE" }), 404, "SessionNotFound");
  }
});

test("a session has the routes of its own version and kind only", async (t) => {
  const emulator = await startStandIn(t);
  const { sessionId } = await emulator.open(v12);
  const preview = await emulator.open(v11);
  for (const path of [
    `/face/v1.2/detectLivenessWithVerify-sessions/${sessionId}`,
    `${v11}/${sessionId}`,
    `${v12}/${preview.sessionId}`,
    `/face/v1.2-preview.1/detectLiveness/singleModal/sessions/${preview.sessionId}`,
  ]) {
    assertError(await emulator.face(path), 404, "SessionNotFound");
  }
});

test("the device sends its id where the session allows that, and only there", async (t) => {
  const emulator = await startStandIn(t);
  const path = v11;
  const inClient = await emulator.open(path, { deviceCorrelationIdSetInClient: true, deviceCorrelationId: null });
  const device = async () => at((await emulator.face(`${path}/${inClient.sessionId}`)).json, "deviceCorrelationId");
  for (const deviceCorrelationId of [undefined, "", "x".repeat(65)]) {
    const answer = await emulator.attempt(inClient, { scenario: "realface", deviceCorrelationId });
    assertError(answer, 400, "InvalidDeviceCorrelationId");
  }
  assert.equal(await device(), undefined);
  assert.equal((await emulator.attempt(inClient, { scenario: "TimedOut", deviceCorrelationId: "d1" })).status, 400);
  assert.equal(await device(), "d1");
  assert.equal((await emulator.attempt(inClient, { scenario: "realface" })).status, 200);

  const named = await emulator.open(path, { deviceCorrelationId: "d2" });
  const other = await emulator.attempt(named, { scenario: "realface", deviceCorrelationId: "d3" });
  assertError(other, 400, "InvalidDeviceCorrelationId");
  assert.equal((await emulator.attempt(named, { scenario: "realface", deviceCorrelationId: "d2" })).status, 200);
});

test("management accepts the key or an Entra token, no session's token", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12);
  const get = (headers: Record<string, string>) => emulator.call(`${v12}/${session.sessionId}`, { headers });
  assert.equal((await get({ authorization: "Bearer an-entra-token" })).status, 200);
  for (const headers of [
    {},
    { "ocp-apim-subscription-key": "wrong" },
    { "ocp-apim-subscription-key": "" },
    { authorization: "Bearer " },
    { authorization: `Bearer ${session.authToken}` },
    { authorization: "Basic YTpi" },
  ]) {
    const answer = await get({ ...headers });
    assertError(answer, 401, "Unspecified");
    assert.match(String(at(answer.json, "error", "message")), /^Access denied due to invalid subscription key/);
  }
});

test("ids are UUIDs, and a v1.2 creation returns empty results", async (t) => {
  const emulator = await startStandIn(t);
  const { json } = await emulator.face(v12, {
    json: { livenessOperationMode: "PassiveActive", deviceCorrelationId: "d" },
  });
  assert.match(asOpenSession(json).sessionId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(at(json, "status"), "NotStarted");
  assert.deepEqual(at(json, "results", "attempts"), []);
});
