import assert from "node:assert/strict";
import { test } from "node:test";
import createClient, { isUnexpected } from "@azure/ai-vision-face";
import { asOpenSession, at, makeImage, sha256, startStandIn } from "./stand-in.ts";

/** The service's official clients as they are installed, against the emulator as they would be against the service. */

const local = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
const body = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

test("the v1.2 client: liveness", async (t) => {
  const emulator = await startStandIn(t);
  const client = createClient(emulator.url, { key: emulator.key }, local);
  const created = await client.path("/detectLiveness-sessions").post({ body: { ...body, enableSessionImage: true } });
  if (isUnexpected(created)) return assert.fail(JSON.stringify(created.body));
  assert.equal(created.body.status, "NotStarted");
  const session = asOpenSession(created.body);
  await emulator.attempt(session, { scenario: "FaceWithMaskDetected" });
  const played = await emulator.attempt(session, { scenario: "realface" });

  const route = client.path("/detectLiveness-sessions/{sessionId}", session.sessionId);
  const got = await route.get();
  if (isUnexpected(got)) return assert.fail(JSON.stringify(got.body));
  const [latest, first] = got.body.results.attempts;
  assert.deepEqual([got.body.status, latest?.attemptId, first?.attemptId], ["Succeeded", 2, 1]);
  assert.equal(latest?.result?.livenessDecision, "realface");
  assert.equal(latest.result.digest, at(played.json, "digest"));
  assert.equal(latest.result.targets.color.faceRectangle.width, 646);
  assert.equal(first?.error?.code, "FaceWithMaskDetected");

  const imageId = latest.result.sessionImageId ?? "";
  const image = await client.path("/sessionImages/{sessionImageId}", imageId).get().asNodeStream();
  assert.equal(image.status, "200");
  image.body?.resume();

  assert.equal((await route.delete()).status, "204");
  const gone = await route.get();
  assert.ok(isUnexpected(gone));
  assert.deepEqual(
    [gone.status, gone.body.error.code, gone.headers["x-ms-error-code"]],
    ["404", "SessionNotFound", "SessionNotFound"],
  );
});

test("the v1.2 client: liveness with verify", async (t) => {
  const emulator = await startStandIn(t);
  const client = createClient(emulator.url, { key: emulator.key }, local);
  const image = makeImage("jpeg", 4000);
  const created = await client.path("/detectLivenessWithVerify-sessions").post({
    contentType: "multipart/form-data",
    body: [
      { name: "livenessOperationMode", body: "PassiveActive" },
      { name: "deviceCorrelationIdSetInClient", body: false },
      { name: "deviceCorrelationId", body: "a-device" },
      { name: "authTokenTimeToLiveInSeconds", body: 120 },
      { name: "returnVerifyImageHash", body: true },
      { name: "verifyConfidenceThreshold", body: 0.75 },
      { name: "verifyImage", body: image, filename: "face.jpg", contentType: "image/jpeg" },
    ],
  });
  if (isUnexpected(created)) return assert.fail(JSON.stringify(created.body));
  assert.equal(created.body.results.verifyReferences.length, 1);
  const session = asOpenSession(created.body);
  await emulator.attempt(session, { scenario: "realface", matchConfidence: 0.7 });

  const route = client.path("/detectLivenessWithVerify-sessions/{sessionId}", session.sessionId);
  const got = await route.get();
  if (isUnexpected(got)) return assert.fail(JSON.stringify(got.body));
  const result = got.body.results.attempts[0]?.result;
  assert.deepEqual(result?.verifyResult, { matchConfidence: 0.7, isIdentical: false });
  assert.equal(result?.verifyImageHash, sha256(image));
  assert.equal(got.body.results.verifyReferences[0]?.qualityForRecognition, "high");
  assert.equal((await route.delete()).status, "204");
});

test("the v1.2 client without a file name -> 400, with a wrong key -> 401", async (t) => {
  const emulator = await startStandIn(t);
  const create = (key: string, image: { filename?: string }) =>
    createClient(emulator.url, { key }, local)
      .path("/detectLivenessWithVerify-sessions")
      .post({
        contentType: "multipart/form-data",
        body: [
          { name: "livenessOperationMode", body: "Passive" },
          { name: "deviceCorrelationId", body: "a-device" },
          { name: "verifyImage", body: makeImage(), ...image },
        ],
      });
  const nameless = await create(emulator.key, {});
  assert.ok(isUnexpected(nameless));
  assert.deepEqual([nameless.status, nameless.body.error.code], ["400", "InvalidRequestBody"]);
  const stranger = await create("wrong", { filename: "face.jpg" });
  assert.ok(isUnexpected(stranger));
  assert.deepEqual([stranger.status, stranger.body.error.code], ["401", "Unspecified"]);
});

test("a client waits for Retry-After and retries", async (t) => {
  const emulator = await startStandIn(t);
  const client = createClient(emulator.url, { key: emulator.key }, { allowInsecureConnection: true });
  const session = await emulator.open("/face/v1.2/detectLiveness-sessions");
  await emulator.call("/emulator/faults", { json: { operation: "get", status: 429, retryAfter: 0, times: 2 } });
  const got = await client.path("/detectLiveness-sessions/{sessionId}", session.sessionId).get();
  assert.equal(got.status, "200");
  assert.equal(at((await emulator.call("/emulator/state")).json, "calls", "get"), 3);
});
