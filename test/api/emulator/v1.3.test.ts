import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, asOpenSession, asRecord, assertError, at, makeImage, sha256, startStandIn } from "./stand-in.ts";

const liveness = "/face/v1.3-preview.1/detectLiveness-sessions";
const withVerify = "/face/v1.3-preview.1/detectLivenessWithVerify-sessions";
const images = "/face/v1.3-preview.1/sessionImages";
const v12 = "/face/v1.2/detectLiveness-sessions";
const v12Preview = "/face/v1.2-preview.1/detectLiveness/singleModal/sessions";

const device = "5b0a1c52-3e8e-4a0f-9d57-0c6f2f1f7a10";
const user = "c7d1f0b4-0d6b-4c53-8a57-9a4b3f6e2d21";
const required = { livenessOperationMode: "Passive", deviceCorrelationId: device, userCorrelationId: user };

/** A request as its bytes are sent: the parts of a form in plain text, then the image. */
function rawForm(
  fields: Record<string, string>,
  image?: Uint8Array,
): { body: Buffer; headers: Record<string, string> } {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--b1\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const file =
    '--b1\r\nContent-Disposition: form-data; name="verifyImage"; filename="reference.jpg"\r\n' +
    "Content-Type: image/jpeg\r\n\r\n";
  const imagePart = image === undefined ? [] : [Buffer.from(file), image, Buffer.from("\r\n")];
  return {
    body: Buffer.concat([Buffer.from(parts.join("")), ...imagePart, Buffer.from("--b1--\r\n")]),
    headers: { "content-type": "multipart/form-data; boundary=b1" },
  };
}

const attemptOf = (answer: Answer, index: number) => at(answer.json, "results", "attempts", index);

test("a liveness session: every field of the request, and the answer", async (t) => {
  const emulator = await startStandIn(t);
  const created = await emulator.face(liveness, {
    json: {
      ...required,
      livenessOperationMode: "PassiveActive",
      authTokenTimeToLiveInSeconds: 300,
      numberOfClientAttemptsAllowed: 2,
      expectedClientIpAddress: "203.0.113.0/24",
      enableSessionImage: true,
    },
  });
  assert.equal(created.status, 200, created.text);
  const session = asOpenSession(created.json);
  const facts = {
    sessionId: session.sessionId,
    status: "NotStarted",
    modelVersion: "2024-11-15",
    isAbuseMonitoringEnabled: true,
    expectedClientIpAddress: "203.0.113.0/24",
    results: { attempts: [] },
  };
  assert.deepEqual(created.json, { ...facts, authToken: session.authToken });
  const route = `${liveness}/${session.sessionId}`;
  assert.deepEqual((await emulator.face(route)).json, { ...facts, authToken: "" });

  await emulator.attempt(session, { scenario: "realface", clientIp: "203.0.113.24" });
  const imageId = String(at(attemptOf(await emulator.face(route), 0), "result", "sessionImageId"));
  assert.match(imageId, /^[\w-]{44}$/);
  const image = await emulator.face(`${images}/${imageId}`);
  assert.deepEqual([image.status, image.headers.get("content-type")], [200, "application/octet-stream"]);

  const deleted = await emulator.face(route, { method: "DELETE" });
  assert.deepEqual([deleted.status, deleted.text], [204, ""]);
  assertError(await emulator.face(route), 404, "SessionNotFound");
  assertError(await emulator.face(`${images}/${imageId}`), 404, "SessionImageNotFound");
});

test("a session with verify: a failed attempt and a good one", async (t) => {
  const emulator = await startStandIn(t);
  const image = makeImage();
  const fields = { ...required, numberOfClientAttemptsAllowed: "3", enableSessionImage: "true" };
  const created = await emulator.face(withVerify, rawForm({ ...fields, returnVerifyImageHash: "true" }, image));
  assert.equal(created.status, 200, created.text);
  const session = asOpenSession(created.json);
  assert.equal(at(created.json, "isAbuseMonitoringEnabled"), true);
  assert.deepEqual(at(created.json, "results", "attempts"), []);
  assert.equal(at(created.json, "expectedClientIpAddress"), undefined);

  const otherFlaggedSessions = [
    { attemptId: 1, sessionId: "30b1c9d7-6d0e-4a2f-8f55-6a0f1c3e9b77", sessionImageId: "Cz8w" },
    { attemptId: 3, sessionId: "1f6d2f0e-52aa-4f53-9f0c-7d1c5a0b9e33" },
  ];
  const clientIp = "203.0.113.24";
  await emulator.attempt(session, { scenario: "FaceWithMaskDetected", clientIp });
  await emulator.attempt(session, {
    scenario: "realface",
    matchConfidence: 0.91,
    clientIp,
    abuse: { otherFlaggedSessions },
  });
  const { json } = await emulator.face(`${withVerify}/${session.sessionId}`);
  const { results, ...beside } = asRecord(json);
  assert.deepEqual(beside, {
    sessionId: session.sessionId,
    authToken: "",
    status: "Succeeded",
    modelVersion: "2024-11-15",
    isAbuseMonitoringEnabled: true,
  });
  assert.equal(at(results, "verifyReferences", 0, "qualityForRecognition"), "high");
  const [newest, oldest] = [at(results, "attempts", 0), at(results, "attempts", 1)];
  const result = asRecord(at(newest, "result"));
  assert.deepEqual(Object.keys(result).toSorted(), [
    "digest",
    "livenessDecision",
    "sessionImageId",
    "targets",
    "verifyImageHash",
    "verifyResult",
  ]);
  assert.equal(result.verifyImageHash, sha256(image));
  assert.deepEqual(newest, {
    attemptId: 2,
    attemptStatus: "Succeeded",
    result,
    clientInformation: [{ ip: clientIp }],
    abuseMonitoringResult: { isAbuseDetected: true, otherFlaggedSessions },
  });
  const error = asRecord(at(oldest, "error"));
  assert.deepEqual([error.code, Object.keys(error).length], ["FaceWithMaskDetected", 3]);
  assert.deepEqual(oldest, {
    attemptId: 1,
    attemptStatus: "Failed",
    error,
    clientInformation: [{ ip: clientIp }],
  });
});

test("the user: required unless the device sends the id", async (t) => {
  const emulator = await startStandIn(t);
  const create = (fields: object) => emulator.face(liveness, { json: { ...required, ...fields } });
  for (const fields of [
    { userCorrelationId: undefined },
    { userCorrelationId: null },
    { userCorrelationId: "" },
    { userCorrelationId: "x".repeat(65) },
    { userCorrelationIdSetInClient: true },
  ]) {
    assertError(await create(fields), 400, "InvalidRequestBody");
  }
  assert.equal((await create({ userCorrelationId: "x" })).status, 200);
  const { userCorrelationId: _, ...nameless } = required;
  assertError(await emulator.face(withVerify, rawForm(nameless, makeImage())), 400, "InvalidRequestBody");
  const form = rawForm({ ...nameless, userCorrelationIdSetInClient: "true" }, makeImage());
  assert.equal((await emulator.face(withVerify, form)).status, 200);
});

test("a user's id is optional in v1.2 and unknown in the previews", async (t) => {
  const emulator = await startStandIn(t);
  for (const fields of [{}, { userCorrelationId: user }]) {
    const session = await emulator.open(v12, fields);
    assert.equal((await emulator.attempt(session, { scenario: "realface", userCorrelationId: user })).status, 200);
  }
  assertError(await emulator.face(v12Preview, { json: required }), 400, "InvalidRequestBody");
});

test("invalid numbers of attempts and addresses -> 400", async (t) => {
  const emulator = await startStandIn(t);
  for (const fields of [
    { numberOfClientAttemptsAllowed: 0 },
    { numberOfClientAttemptsAllowed: 4 },
    { numberOfClientAttemptsAllowed: 1.5 },
    { numberOfClientAttemptsAllowed: "4" },
    { expectedClientIpAddress: "203.0.113.0/33" },
    { expectedClientIpAddress: "localhost" },
    { expectedClientIpAddress: "203.0.113.1,203.0.113.2" },
    { unknown: 1 },
  ]) {
    assertError(await emulator.face(liveness, { json: { ...required, ...fields } }), 400, "InvalidRequestBody");
  }
  const form = rawForm({ ...required, numberOfClientAttemptsAllowed: "4" }, makeImage());
  assertError(await emulator.face(withVerify, form), 400, "InvalidRequestBody");
});

test("a session with verify takes a form only, a liveness session JSON only", async (t) => {
  const emulator = await startStandIn(t);
  assertError(await emulator.face(withVerify, { json: required }), 415, "BadArgument");
  assertError(await emulator.face(withVerify, rawForm(required, Buffer.alloc(2048))), 400, "InvalidImage");
  assertError(await emulator.face(liveness, rawForm(required)), 415, "BadArgument");
});
