import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, at, startStandIn } from "./stand-in.ts";

const v12 = "/face/v1.2/detectLiveness-sessions";
const preview = "/face/v1.2-preview.1/detectLiveness/singleModal/sessions";

test("the clock moves ahead, and onClock is awaited before the answer", async (t) => {
  const offsets: number[] = [];
  const emulator = await startStandIn(t, {
    onClock: async (offsetMs) => {
      await new Promise((resolve) => setImmediate(resolve));
      offsets.push(offsetMs);
    },
  });
  const before = Date.now();
  const first = await emulator.call("/emulator/clock", { json: { advanceSeconds: 90 } });
  assert.deepEqual([first.status, at(first.json, "offsetMs"), offsets], [200, 90_000, [90_000]]);
  const machineTime = Date.parse(String(at(first.json, "now"))) - 90_000;
  assert.ok(before <= machineTime && machineTime <= Date.now());
  await Promise.all([emulator.advance(1), emulator.advance(0.5)]);
  assert.equal(emulator.offsetMs(), 91_500);
  await emulator.call("/emulator", { method: "DELETE" });
  assert.equal(emulator.offsetMs(), 0);
  assert.equal(offsets.at(-1), 0);
});

test("the clock does not move where onClock rejects", async (t) => {
  const emulator = await startStandIn(t, { onClock: () => Promise.reject(new Error("no clock there")) });
  const answer = await emulator.call("/emulator/clock", { json: { advanceSeconds: 5 } });
  assertError(answer, 500, "InternalServerError");
  assert.match(answer.text, /no clock there/);
  assert.equal(emulator.offsetMs(), 0);
});

test("the state has sessions and calls, and no token", async (t) => {
  const emulator = await startStandIn(t);
  const opened = await emulator.open(v12, { deviceCorrelationId: "d1" });
  const other = await emulator.open(preview, { deviceCorrelationId: "d2", authTokenTimeToLiveInSeconds: 60 });
  await emulator.attempt(opened, { scenario: "realface" });
  await emulator.face(`${v12}/${opened.sessionId}`);
  await emulator.face(`${v12}/unknown`);
  await emulator.face(`${preview}/${other.sessionId}`, { method: "DELETE" });
  await emulator.face(preview);
  await emulator.face(`${preview}/x/audit`);
  await emulator.face("/face/v1.2/sessionImages/x");
  const { json, text } = await emulator.call("/emulator/state");
  const ofResource = { settings: 0, patchSettings: 0, clientAssetsToken: 0 };
  assert.deepEqual(at(json, "calls"), { create: 2, get: 2, delete: 1, list: 1, audit: 1, image: 1, ...ofResource });
  const session = at(json, "sessions", 0);
  assert.deepEqual(session, {
    sessionId: opened.sessionId,
    kind: "liveness",
    apiVersion: "v1.2",
    deviceCorrelationId: "d1",
    status: "Succeeded",
    attempts: 1,
    createdOn: at(session, "createdOn"),
    tokenExpiresOn: at(session, "tokenExpiresOn"),
    expiresOn: at(session, "expiresOn"),
  });
  assert.equal(at(json, "sessions", "length"), 1);
  assert.doesNotMatch(text, /eyJ/);
  assert.ok(!text.includes(emulator.key));
});

test("the state has no sessions older than 48 hours", async (t) => {
  const emulator = await startStandIn(t);
  await emulator.open(v12);
  await emulator.advance(40 * 3600);
  await emulator.open(v12);
  await emulator.advance(8 * 3600);
  assert.equal(at((await emulator.call("/emulator/state")).json, "sessions", "length"), 1);
});

test("tokenInGet applies to v1.2 and v1.3 only", async (t) => {
  const emulator = await startStandIn(t);
  const v13 = v12.replace("v1.2", "v1.3-preview.1");
  const sessions = [await emulator.open(v12), await emulator.open(v13, { userCorrelationId: "a-user" })];
  const other = await emulator.open(preview);
  const set = (tokenInGet: boolean) => emulator.call("/emulator/settings", { json: { tokenInGet } });
  const tokens = async () => {
    const paths = [v12, v13].map((path, index) => `${path}/${sessions[index]?.sessionId}`);
    return (await Promise.all(paths.map((path) => emulator.face(path)))).map(({ json }) => at(json, "authToken"));
  };
  assert.deepEqual((await set(true)).json, { tokenInGet: true, largeAuditIds: false });
  assert.deepEqual(
    await tokens(),
    sessions.map(({ authToken }) => authToken),
  );
  assert.doesNotMatch((await emulator.face(`${preview}/${other.sessionId}`)).text, /authToken"/);
  await set(false);
  assert.deepEqual(await tokens(), [undefined, ""]);
});

test("largeAuditIds: ids above 2^53 page exactly", async (t) => {
  const emulator = await startStandIn(t);
  await emulator.call("/emulator/settings", { json: { largeAuditIds: true } });
  const session = await emulator.open(preview);
  for (const scenario of ["TimedOut", "TimedOut", "realface"]) await emulator.attempt(session, { scenario });
  const idsAfter = async (start: string) => {
    const { text } = await emulator.face(`${preview}/${session.sessionId}/audit?start=${start}`);
    return [...text.matchAll(/"id":(\d+)/g)].map(([, id]) => id ?? "");
  };
  const ids = await idsAfter("");
  assert.deepEqual(ids, ["4611686018427387905", "4611686018427387906", "4611686018427387907"]);
  assert.deepEqual(await idsAfter("4611686018427387906"), ["4611686018427387907"]);
});

test("a reset deletes all state", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12);
  await emulator.advance(5);
  await emulator.call("/emulator/settings", { json: { tokenInGet: true } });
  await emulator.call("/emulator/faults", { json: { operation: "get", status: 500, rate: 1 } });
  const reset = await emulator.call("/emulator", { method: "DELETE" });
  assert.deepEqual([reset.status, reset.text], [204, ""]);
  const { json } = await emulator.call("/emulator/state");
  assert.equal(at(json, "offsetMs"), 0);
  assert.deepEqual(at(json, "settings"), { tokenInGet: false, largeAuditIds: false });
  assert.deepEqual([at(json, "sessions"), at(json, "faults")], [[], []]);
  assert.deepEqual(new Set(Object.values(Object(at(json, "calls")))), new Set([0]));
  assertError(await emulator.face(`${v12}/${session.sessionId}`), 404, "SessionNotFound");
});

test("invalid control requests -> 400 with the reason", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(v12);
  const attempts = `/emulator/sessions/${session.sessionId}/attempts`;
  for (const [path, json, reason] of [
    ["/emulator/clock", {}, /advanceSeconds/],
    ["/emulator/clock", { advanceSeconds: -1 }, /advanceSeconds/],
    ["/emulator/clock", { advanceSeconds: "1" }, /advanceSeconds/],
    ["/emulator/settings", { tokenInGet: 1 }, /tokenInGet/],
    ["/emulator/settings", { unknown: true }, /unknown/],
    [attempts, {}, /scenario/],
    [attempts, { scenario: "realFace" }, /scenario/],
    [attempts, { scenario: "realface", matchConfidence: 2 }, /matchConfidence/],
    [attempts, { scenario: "realface", extra: 1 }, /extra/],
  ] as const) {
    const headers = { authorization: `Bearer ${session.authToken}` };
    const answer = await emulator.call(path, { json, headers });
    assertError(answer, 400, "InvalidRequestBody");
    assert.match(String(at(answer.json, "error", "message")), reason);
  }
  assertError(await emulator.call("/emulator/clock", { body: "{" }), 400, "InvalidRequestBody");
  assertError(await emulator.call("/emulator/clock", { method: "PUT", json: {} }), 404, "404");
  assertError(await emulator.call("/emulator/unknown"), 404, "404");
});
