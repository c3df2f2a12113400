import assert from "node:assert/strict";
import { test } from "node:test";
import { asOpenSession, assertError, at, type OpenSession, type StandIn, startStandIn } from "./stand-in.ts";

const settings = "/face/v1.3-preview.1/settings";
const assetsToken = `${settings}/getClientAssetsAccessToken`;
const sessions = "/face/v1.3-preview.1/detectLiveness-sessions";
const user = { userCorrelationId: "c7d1f0b4-0d6b-4c53-8a57-9a4b3f6e2d21" };

const patch = (emulator: StandIn, json: unknown) => emulator.face(settings, { method: "PATCH", json });
const monitoring = (enabled: boolean) => ({ livenessAbuseMonitoring: { enabled } });

async function abuseResults(emulator: StandIn, { sessionId }: OpenSession): Promise<unknown[]> {
  const { json } = await emulator.face(`${sessions}/${sessionId}`);
  return [0, 1, 2].map((index) => at(json, "results", "attempts", index, "abuseMonitoringResult"));
}

test("settings: abuse monitoring is on until PATCH switches it off", async (t) => {
  const emulator = await startStandIn(t);
  const get = async () => (await emulator.face(settings)).json;
  assert.deepEqual(await get(), monitoring(true));
  const changed = await patch(emulator, monitoring(false));
  assert.deepEqual([changed.status, changed.json], [200, monitoring(false)]);
  assert.deepEqual(await get(), monitoring(false));
  for (const nothing of [{}, { livenessAbuseMonitoring: {} }]) {
    const unchanged = await patch(emulator, nothing);
    assert.deepEqual([unchanged.status, unchanged.json], [200, monitoring(false)]);
  }
  await patch(emulator, monitoring(true));
  assert.deepEqual(await get(), monitoring(true));
});

test("invalid changes of the settings -> 400 or 415, and no change", async (t) => {
  const emulator = await startStandIn(t);
  for (const json of [
    { livenessAbuseMonitoring: { enabled: "false" } },
    { livenessAbuseMonitoring: null },
    { livenessAbuseMonitoring: false },
    { livenessAbuseMonitoring: { enabled: false, unknown: 1 } },
    { ...monitoring(false), unknown: 1 },
    [],
    null,
  ]) {
    assertError(await patch(emulator, json), 400, "InvalidRequestBody");
  }
  const headers = { "content-type": "application/json" };
  assertError(await emulator.face(settings, { method: "PATCH", body: "{", headers }), 400, "InvalidRequestBody");
  const body = JSON.stringify(monitoring(false));
  const text = { "content-type": "text/plain" };
  assertError(await emulator.face(settings, { method: "PATCH", body, headers: text }), 415, "BadArgument");
  assert.deepEqual((await emulator.face(settings)).json, monitoring(true));
});

test("settings and client assets token require the key, and exist in v1.3 only", async (t) => {
  const emulator = await startStandIn(t);
  const { authToken } = await emulator.open(sessions, user);
  for (const headers of [undefined, { authorization: `Bearer ${authToken}` }]) {
    const json = monitoring(false);
    assertError(await emulator.call(settings, { headers: { ...headers } }), 401, "Unspecified");
    assertError(await emulator.call(assetsToken, { headers: { ...headers } }), 401, "Unspecified");
    assertError(await emulator.call(settings, { method: "PATCH", json, headers: { ...headers } }), 401, "Unspecified");
  }
  assert.deepEqual((await emulator.face(settings)).json, monitoring(true));
  for (const version of ["v1.1-preview.1", "v1.2-preview.1", "v1.2"]) {
    assertError(await emulator.face(`/face/${version}/settings`), 404, "404");
    assertError(await emulator.face(`/face/${version}/settings/getClientAssetsAccessToken`), 404, "404");
  }
});

test("isAbuseMonitoringEnabled is the setting at the session's creation", async (t) => {
  const emulator = await startStandIn(t);
  const create = async () => {
    const json = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device", ...user };
    const answer = await emulator.face(sessions, { json });
    const { sessionId } = asOpenSession(answer.json);
    return { sessionId, isEnabled: at(answer.json, "isAbuseMonitoringEnabled") };
  };
  const isEnabled = async (sessionId: string) =>
    at((await emulator.face(`${sessions}/${sessionId}`)).json, "isAbuseMonitoringEnabled");
  const before = await create();
  await patch(emulator, monitoring(false));
  const after = await create();
  assert.deepEqual([before.isEnabled, after.isEnabled], [true, false]);
  assert.deepEqual([await isEnabled(before.sessionId), await isEnabled(after.sessionId)], [true, false]);
});

test("abuse: by default none in attempts with a decision, scripted also for failed ones", async (t) => {
  const emulator = await startStandIn(t);
  const detected = { isAbuseDetected: true, otherFlaggedSessions: [] };
  const notDetected = { isAbuseDetected: false, otherFlaggedSessions: [] };
  const session = await emulator.open(sessions, { ...user, numberOfClientAttemptsAllowed: 3 });
  await emulator.attempt(session, { scenario: "TimedOut" });
  await emulator.attempt(session, { scenario: "FaceWithMaskDetected", abuse: true });
  await emulator.attempt(session, { scenario: "spoofface" });
  assert.deepEqual(await abuseResults(emulator, session), [notDetected, detected, undefined]);

  const scripted = await emulator.open(sessions, { ...user, numberOfClientAttemptsAllowed: 3 });
  await emulator.attempt(scripted, { scenario: "TimedOut", abuse: false });
  await emulator.attempt(scripted, { scenario: "realface", abuse: true });
  await emulator.attempt(scripted, { scenario: "running", abuse: true });
  await emulator.attempt(scripted, { scenario: "realface" });
  assert.deepEqual(await abuseResults(emulator, scripted), [detected, detected, notDetected]);
});

test("abuse is refused where the session has no abuse monitoring, and is no attempt", async (t) => {
  const emulator = await startStandIn(t);
  const older = await emulator.open("/face/v1.2/detectLiveness-sessions");
  await patch(emulator, monitoring(false));
  const unmonitored = await emulator.open(sessions, user);
  for (const session of [older, unmonitored]) {
    const refused = await emulator.attempt(session, { scenario: "realface", abuse: true });
    assertError(refused, 400, "InvalidRequestBody");
    assert.match(refused.text, /abuse/);
    assert.equal((await emulator.attempt(session, { scenario: "realface" })).status, 200);
  }
  assert.deepEqual(await abuseResults(emulator, unmonitored), [undefined, undefined, undefined]);
});

test("invalid abuse -> 400 with the reason", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(sessions, user);
  for (const abuse of [
    "yes",
    {},
    { otherFlaggedSessions: [{ sessionId: "s" }] },
    { otherFlaggedSessions: [{ sessionId: "s", attemptId: 0 }] },
    { otherFlaggedSessions: [{ sessionId: "s", attemptId: 1, extra: 1 }] },
  ]) {
    const answer = await emulator.attempt(session, { scenario: "realface", abuse });
    assertError(answer, 400, "InvalidRequestBody");
    assert.match(answer.text, /abuse/);
  }
});

test("the client assets token: new at each call, with an expiry of the emulator's clock", async (t) => {
  const emulator = await startStandIn(t);
  await emulator.advance(86_400);
  const earliest = Date.now() + 86_400_000;
  const [first, second] = [await emulator.face(assetsToken), await emulator.face(assetsToken)];
  assert.deepEqual(Object.keys(Object(first.json)).toSorted(), ["accessToken", "base64AccessToken", "expiry"]);
  const accessToken = String(at(first.json, "accessToken"));
  assert.match(accessToken, /^[\w-]{52}$/);
  assert.equal(Buffer.from(String(at(first.json, "base64AccessToken")), "base64").toString(), accessToken);
  assert.notEqual(accessToken, at(second.json, "accessToken"));
  const expiry = String(at(first.json, "expiry"));
  assert.equal(new Date(expiry).toISOString(), expiry);
  assert.ok(Date.parse(expiry) > earliest);
  const state = await emulator.call("/emulator/state");
  assert.ok(!state.text.includes(accessToken));
});

test("faults and counters of the settings and the client assets token", async (t) => {
  const emulator = await startStandIn(t);
  const faulty = async (operation: string, status: number, after: boolean) => {
    const answer = await emulator.call("/emulator/faults", { json: { operation, status, after } });
    assert.equal(answer.status, 200, answer.text);
  };
  await faulty("settings", 500, false);
  assertError(await emulator.face(settings), 500, "InternalServerError");
  await faulty("patchSettings", 503, false);
  assertError(await patch(emulator, monitoring(false)), 503, "ServiceUnavailable");
  assert.deepEqual((await emulator.face(settings)).json, monitoring(true));
  await faulty("patchSettings", 500, true);
  assertError(await patch(emulator, monitoring(false)), 500, "InternalServerError");
  assert.deepEqual((await emulator.face(settings)).json, monitoring(false));
  await faulty("clientAssetsToken", 503, false);
  assertError(await emulator.face(assetsToken), 503, "ServiceUnavailable");
  assert.equal((await emulator.face(assetsToken)).status, 200);
  const calls = at((await emulator.call("/emulator/state")).json, "calls");
  const counted = ["settings", "patchSettings", "clientAssetsToken"].map((operation) => at(calls, operation));
  assert.deepEqual(counted, [3, 2, 2]);
});

test("a reset resets the settings; the state and faults keep them", async (t) => {
  const emulator = await startStandIn(t);
  const inState = async () => at((await emulator.call("/emulator/state")).json, "resourceSettings");
  assert.deepEqual(await inState(), monitoring(true));
  await patch(emulator, monitoring(false));
  await emulator.advance(30 * 86_400);
  await emulator.call("/emulator/faults", { method: "DELETE" });
  assert.deepEqual(await inState(), monitoring(false));
  await emulator.call("/emulator", { method: "DELETE" });
  assert.deepEqual(await inState(), monitoring(true));
  assert.deepEqual((await emulator.face(settings)).json, monitoring(true));
});
