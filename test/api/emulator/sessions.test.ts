import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { assertError, at, startStandIn } from "./stand-in.ts";

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

test("a session has the routes of its own version and kind only", async (t) => {
  const emulator = await startStandIn(t);
  const v13 = "/face/v1.3-preview.1/detectLiveness-sessions";
  const { sessionId } = await emulator.open(v12);
  const preview = await emulator.open(v11);
  const newest = await emulator.open(v13, { userCorrelationId: "a-user" });
  for (const path of [
    `/face/v1.2/detectLivenessWithVerify-sessions/${sessionId}`,
    ...[v11, v13].map((other) => `${other}/${sessionId}`),
    `${v12}/${preview.sessionId}`,
    `/face/v1.2-preview.1/detectLiveness/singleModal/sessions/${preview.sessionId}`,
    `${v12}/${newest.sessionId}`,
    `/face/v1.3-preview.1/detectLivenessWithVerify-sessions/${newest.sessionId}`,
  ]) {
    assertError(await emulator.face(path), 404, "SessionNotFound");
  }
  for (const path of [v13, `${v13}/${newest.sessionId}/audit`]) assertError(await emulator.face(path), 404, "404");
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
