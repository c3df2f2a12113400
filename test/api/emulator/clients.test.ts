import assert from "node:assert/strict";
import { test } from "node:test";
import createClient, { isUnexpected } from "@azure/ai-vision-face";
import createPreviewClient, { isUnexpected as isUnexpectedInPreview } from "face-client-v1.1-preview.1";
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

test("the v1.2 client is refused without a file name, and without the right key", async (t) => {
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

test("the v1.1-preview.1 client: liveness, with list and audit", async (t) => {
  const emulator = await startStandIn(t);
  const client = createPreviewClient(emulator.url, { key: emulator.key }, local);
  const path = "/detectLiveness/singleModal/sessions";
  const ids: string[] = [];
  for (let index = 0; index < 3; index += 1) {
    const created = await client.path(path).post({ body: { ...body, sendResultsToClient: true } });
    if (isUnexpectedInPreview(created)) return assert.fail(JSON.stringify(created.body));
    const session = asOpenSession(created.body);
    ids.push(session.sessionId);
    await emulator.attempt(session, { scenario: "TimedOut" });
    await emulator.attempt(session, { scenario: "realface" });
  }

  const listed: string[] = [];
  for (let start = ""; ; start = listed.at(-1) ?? "") {
    const page = await client.path(path).get({ queryParameters: { start, top: 2 } });
    if (isUnexpectedInPreview(page)) return assert.fail(JSON.stringify(page.body));
    if (page.body.length === 0) break;
    listed.push(...page.body.map(({ id }) => id));
  }
  assert.deepEqual(listed, ids.toSorted());

  const [sessionId = ""] = ids;
  const got = await client.path(`${path}/{sessionId}`, sessionId).get();
  if (isUnexpectedInPreview(got)) return assert.fail(JSON.stringify(got.body));
  assert.equal(got.body.status, "ResultAvailable");
  assert.equal(got.body.result?.response.body.livenessDecision, "realface");

  const audit = client.path(`${path}/{sessionId}/audit`, sessionId);
  const first = await audit.get({ queryParameters: { top: 1 } });
  if (isUnexpectedInPreview(first)) return assert.fail(JSON.stringify(first.body));
  const second = await audit.get({ queryParameters: { start: String(first.body[0]?.id), top: 1 } });
  if (isUnexpectedInPreview(second)) return assert.fail(JSON.stringify(second.body));
  assert.equal(at(first.body[0]?.response.body, "error", "code"), "TimedOut");
  assert.deepEqual(second.body, [got.body.result]);

  assert.equal((await client.path(`${path}/{sessionId}`, sessionId).delete()).status, "200");
  const gone = await audit.get();
  assert.ok(isUnexpectedInPreview(gone));
  assert.deepEqual([gone.status, gone.body.error.code], ["404", "SessionNotFound"]);
});

test("the v1.1-preview.1 client: liveness with verify, with the image and without", async (t) => {
  const emulator = await startStandIn(t);
  const client = createPreviewClient(emulator.url, { key: emulator.key }, local);
  const path = "/detectLivenessWithVerify/singleModal/sessions";
  const withImage = await client.path(path).post({
    contentType: "multipart/form-data",
    body: [
      { name: "Parameters", body },
      { name: "VerifyImage", body: makeImage("png"), filename: "face.png" },
    ],
  });
  if (isUnexpectedInPreview(withImage)) return assert.fail(JSON.stringify(withImage.body));
  assert.equal(withImage.body.verifyImage?.qualityForRecognition, "high");
  await emulator.attempt(asOpenSession(withImage.body), { scenario: "realface", matchConfidence: 0.2 });
  const got = await client.path(`${path}/{sessionId}`, withImage.body.sessionId).get();
  if (isUnexpectedInPreview(got)) return assert.fail(JSON.stringify(got.body));
  const verified = got.body.result?.response.body.verifyResult;
  assert.deepEqual([verified?.matchConfidence, verified?.isIdentical], [0.2, false]);
  assert.deepEqual(verified?.verifyImage, withImage.body.verifyImage);

  const without = await client.path(path).post({ body });
  if (isUnexpectedInPreview(without)) return assert.fail(JSON.stringify(without.body));
  assert.equal(without.body.verifyImage, undefined);
  const verifyImage = makeImage().toString("base64");
  const played = await emulator.attempt(asOpenSession(without.body), { scenario: "realface", verifyImage });
  assert.equal(played.status, 200);
});

test("the v1.2 client speaks v1.2-preview.1 too", async (t) => {
  const emulator = await startStandIn(t);
  const client = createClient(emulator.url, { key: emulator.key }, { ...local, apiVersion: "v1.2-preview.1" });
  const path = "/detectLiveness/singleModal/sessions";
  const created = await client.pathUnchecked(path).post({ body: { ...body, enableSessionImage: true } });
  assert.equal(created.status, "200");
  const session = asOpenSession(created.body);
  await emulator.attempt(session, { scenario: "uncertain" });
  const got = await client.pathUnchecked(`${path}/{sessionId}`, session.sessionId).get();
  assert.equal(at(got.body, "result", "response", "body", "livenessDecision"), "uncertain");
  const imageId = String(at(got.body, "result", "sessionImageId"));
  const image = await client.pathUnchecked("/session/sessionImages/{id}", imageId).get();
  assert.equal(image.status, "200");
  const listed = await client.pathUnchecked(path).get();
  assert.equal(at(listed.body, 0, "id"), session.sessionId);
});

test("a client waits out a Retry-After and comes back", async (t) => {
  const emulator = await startStandIn(t);
  const client = createClient(emulator.url, { key: emulator.key }, { allowInsecureConnection: true });
  const session = await emulator.open("/face/v1.2/detectLiveness-sessions");
  await emulator.call("/emulator/faults", { json: { operation: "get", status: 429, retryAfter: 0, times: 2 } });
  const got = await client.path("/detectLiveness-sessions/{sessionId}", session.sessionId).get();
  assert.equal(got.status, "200");
  assert.equal(at((await emulator.call("/emulator/state")).json, "calls", "get"), 3);
});
