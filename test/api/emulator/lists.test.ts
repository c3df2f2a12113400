import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, at, type OpenSession, type StandIn, startStandIn } from "./stand-in.ts";

const preview = "/face/v1.2-preview.1/detectLiveness/singleModal/sessions";

/** All pages of a list, each after the last id of the previous one. */
async function readPages(emulator: StandIn, path: string, top: number): Promise<unknown[][]> {
  const pages: unknown[][] = [];
  for (let start = ""; ; ) {
    const { json, text } = await emulator.face(`${path}?start=${start}&top=${top}`);
    assert.ok(Array.isArray(json), text);
    if (json.length === 0) return pages;
    pages.push(json);
    start = String(at(json.at(-1), "id"));
  }
}

test("sessions are listed by id, in pages, for their version and kind only", async (t) => {
  const emulator = await startStandIn(t);
  const opened: OpenSession[] = [];
  for (let index = 0; index < 7; index += 1) opened.push(await emulator.open(preview));
  await emulator.open(preview.replace("v1.2", "v1.1"));
  await emulator.open(preview.replace("detectLiveness", "detectLivenessWithVerify"));
  await emulator.open("/face/v1.2/detectLiveness-sessions");

  const pages = await readPages(emulator, preview, 3);
  assert.deepEqual(
    pages.map((page) => page.length),
    [3, 3, 1],
  );
  const ids = opened.map(({ sessionId }) => sessionId).sort();
  assert.deepEqual(
    pages.flat().map((item) => at(item, "id")),
    ids,
  );
  assert.deepEqual((await emulator.face(preview)).json, pages.flat(), "1000 is the default");
});

test("a list item has the start time and whether the token has expired", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(preview, { authTokenTimeToLiveInSeconds: 60, deviceCorrelationId: "d" });
  const item = async () => at((await emulator.face(preview)).json, 0);
  const before = await item();
  assert.deepEqual(before, {
    id: session.sessionId,
    createdDateTime: at(before, "createdDateTime"),
    sessionExpired: false,
    deviceCorrelationId: "d",
    authTokenTimeToLiveInSeconds: 60,
  });
  await emulator.attempt(session, { scenario: "realface" });
  await emulator.advance(60);
  const after = await item();
  assert.equal(at(after, "sessionExpired"), true);
  assert.equal(typeof at(after, "sessionStartDateTime"), "string");
});

test("a preview session has its latest audit entry once an attempt has ended", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(preview);
  const get = async () => (await emulator.face(`${preview}/${session.sessionId}`)).json;
  assert.deepEqual([at(await get(), "status"), at(await get(), "result")], ["NotStarted", undefined]);
  await emulator.attempt(session, { scenario: "running" });
  assert.deepEqual([at(await get(), "status"), at(await get(), "result")], ["Started", undefined]);
  await emulator.attempt(session, { scenario: "FaceTrackingFailed" });
  const failed = await get();
  assert.equal(at(failed, "status"), "ResultAvailable");
  assert.equal(at(failed, "result", "response", "body", "error", "code"), "FaceTrackingFailed");
  assert.equal(at(failed, "result", "response", "statusCode"), 400);
  assert.match(String(at(failed, "result", "digest")), /^[0-9A-F]{64}$/);

  const played = await emulator.call(`/emulator/sessions/${session.sessionId}/attempts`, {
    json: { scenario: "realface" },
    headers: { authorization: `Bearer ${session.authToken}`, "client-request-id": "c-1", "user-agent": "a phone" },
  });
  const json = await get();
  const result = at(json, "result");
  assert.equal(at(result, "sessionId"), session.sessionId);
  assert.equal(at(result, "digest"), at(played.json, "digest"));
  assert.equal(at(result, "requestId"), played.headers.get("apim-request-id"));
  assert.equal(at(result, "clientRequestId"), "c-1");
  assert.equal(at(result, "request", "userAgent"), "a phone");
  assert.equal(at(result, "request", "method"), "POST");
  assert.equal(at(result, "response", "body", "livenessDecision"), "realface");
  assert.equal(at(result, "response", "body", "modelVersionUsed"), "2023-12-20-preview.06");
  assert.equal(typeof at(result, "response", "body", "target", "faceRectangle", "left"), "number");
  const entries = (await emulator.face(`${preview}/${session.sessionId}/audit`)).json;
  assert.deepEqual(at(entries, 1), result);
});

test("start and top out of range -> 400", async (t) => {
  const emulator = await startStandIn(t);
  const { sessionId } = await emulator.open(preview);
  const audit = `${preview}/${sessionId}/audit`;
  for (const path of [preview, audit]) {
    for (const query of ["top=0", "top=1001", "top=-1", "top=x", "top=1.5", `start=${"a".repeat(65)}`]) {
      assertError(await emulator.face(`${path}?${query}`), 400, "BadArgument");
    }
    assert.equal((await emulator.face(`${path}?top=1000&start=`)).status, 200);
  }
  assertError(await emulator.face(`${audit}?start=abc`), 400, "BadArgument");
  assertError(await emulator.face(`${preview}/unknown/audit`), 404, "SessionNotFound");
  assertError(await emulator.face(`/face/v1.2/detectLiveness-sessions`), 404, "404");
});
