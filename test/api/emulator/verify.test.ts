import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  asOpenSession,
  assertError,
  at,
  flatForm,
  makeImage,
  previewForm,
  type StandIn,
  sha256,
  startStandIn,
} from "./stand-in.ts";

const v12 = "/face/v1.2/detectLivenessWithVerify-sessions";
const previews = ["v1.1-preview.1", "v1.2-preview.1"].map(
  (version) => `/face/${version}/detectLivenessWithVerify/singleModal/sessions`,
);
const v12Preview = "/face/v1.2-preview.1/detectLivenessWithVerify/singleModal/sessions";
const fields = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

/** Opens a v1.2 session with an image. */
async function openVerify(emulator: StandIn, extra: Record<string, string> = {}, image = makeImage()) {
  const answer = await emulator.face(v12, { body: flatForm({ ...fields, ...extra }, image) });
  assert.equal(answer.status, 200, answer.text);
  return asOpenSession(answer.json);
}

async function resultOf(emulator: StandIn, sessionId: string) {
  const answer = await emulator.face(`${v12}/${sessionId}`);
  assert.equal(answer.status, 200, answer.text);
  return at(answer.json, "results", "attempts", 0, "result");
}

test("a creation returns the face in the image, in the shape of the version", async (t) => {
  const emulator = await startStandIn(t);
  const { json } = await emulator.face(v12, { body: flatForm(fields, makeImage()) });
  const [reference] = [at(json, "results", "verifyReferences", 0)];
  assert.deepEqual(Object.keys(Object(reference)).sort(), ["faceRectangle", "qualityForRecognition", "referenceType"]);
  assert.equal(typeof at(reference, "faceRectangle", "width"), "number");
  for (const path of previews) {
    const created = (await emulator.face(path, { body: previewForm(fields, makeImage()) })).json;
    assert.equal(at(created, "verifyImage", "qualityForRecognition"), "high");
    assert.equal(typeof at(created, "verifyImage", "faceRectangle", "top"), "number");
  }
});

test("an image has 1 KB to 6 MB and a known format", async (t) => {
  const emulator = await startStandIn(t);
  const create = (image: Uint8Array) => emulator.face(v12, { body: flatForm(fields, image, "face.jpg") });
  for (const format of ["jpeg", "png", "gif", "bmp"] as const) {
    assert.equal((await create(makeImage(format))).status, 200, format);
  }
  assert.equal((await create(makeImage("jpeg", 1024))).status, 200);
  assert.equal((await create(makeImage("jpeg", 6 * 1024 * 1024))).status, 200);
  assertError(await create(makeImage("jpeg", 1023)), 400, "InvalidImageSize");
  assertError(await create(makeImage("jpeg", 6 * 1024 * 1024 + 1)), 400, "InvalidImageSize");
  assertError(await create(Buffer.alloc(2048, "<svg/>")), 400, "InvalidImage");
  for (const path of previews) {
    const answer = await emulator.face(path, { body: previewForm(fields, Buffer.alloc(2048)) });
    assertError(answer, 400, "InvalidImage");
  }
});

test("a form of the previews without an image, or any without its file name -> 400", async (t) => {
  const emulator = await startStandIn(t);
  assertError(await emulator.face(v12Preview, { body: previewForm(fields) }), 400, "InvalidRequestBody");

  const parts = Object.entries({ ...fields, verifyImage: "x".repeat(2048) }).map(
    ([name, value]) => `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const headers = { "content-type": "multipart/form-data; boundary=b" };
  assertError(await emulator.face(v12, { body: `${parts.join("")}--b--\r\n`, headers }), 400, "InvalidRequestBody");
});

test("isIdentical depends on the session's threshold", async (t: TestContext) => {
  const emulator = await startStandIn(t);
  const play = async (extra: Record<string, string>, matchConfidence?: number) => {
    const session = await openVerify(emulator, extra);
    assert.equal((await emulator.attempt(session, { scenario: "realface", matchConfidence })).status, 200);
    return at(await resultOf(emulator, session.sessionId), "verifyResult");
  };
  assert.deepEqual(await play({}), { matchConfidence: 0.93, isIdentical: true });
  assert.deepEqual(await play({}, 0.5), { matchConfidence: 0.5, isIdentical: true });
  assert.deepEqual(await play({}, 0.49), { matchConfidence: 0.49, isIdentical: false });
  assert.deepEqual(await play({ verifyConfidenceThreshold: "0.8" }, 0.79), {
    matchConfidence: 0.79,
    isIdentical: false,
  });
  assert.deepEqual(await play({ verifyConfidenceThreshold: "0" }, 0), { matchConfidence: 0, isIdentical: true });
});

test("returnVerifyImageHash", async (t) => {
  const emulator = await startStandIn(t);
  const image = makeImage("png", 5000);
  for (const [extra, expected] of [
    [{ returnVerifyImageHash: "true" }, sha256(image)],
    [{ returnVerifyImageHash: "false" }, undefined],
    [{}, undefined],
  ] as const) {
    const session = await openVerify(emulator, extra, image);
    await emulator.attempt(session, { scenario: "uncertain" });
    assert.equal(at(await resultOf(emulator, session.sessionId), "verifyImageHash"), expected);
  }
});

test("since v1.2 the device submits the image where the form had none", async (t) => {
  const emulator = await startStandIn(t);
  const verifyImage = makeImage().toString("base64");
  const user = { userCorrelationId: "a-user" };
  for (const path of [v12, v12.replace("v1.2", "v1.3-preview.1")]) {
    const form = flatForm({ ...fields, ...user, returnVerifyImageHash: "true" });
    const created = await emulator.face(path, { body: form });
    assert.deepEqual([created.status, at(created.json, "results", "verifyReferences")], [200, []]);
    const session = asOpenSession(created.json);
    assertError(await emulator.attempt(session, { scenario: "realface" }), 400, "InvalidRequestBody");
    assert.equal((await emulator.attempt(session, { scenario: "realface", verifyImage })).status, 200);
    const { json } = await emulator.face(`${path}/${session.sessionId}`);
    assert.equal(at(json, "results", "attempts", 0, "result", "verifyImageHash"), sha256(makeImage()));
    assert.equal(at(json, "results", "verifyReferences", "length"), 1);
  }
});

test("in the previews the device submits the image where the creation had none", async (t) => {
  const emulator = await startStandIn(t);
  const image = makeImage("gif", 3000);
  const verifyImage = image.toString("base64");
  const json = { ...fields, returnVerifyImageHash: true };
  const session = asOpenSession((await emulator.face(v12Preview, { json })).json);
  const attempt = (body: object) => emulator.attempt(session, { scenario: "realface", ...body });
  assertError(await attempt({}), 400, "InvalidRequestBody");
  assertError(await attempt({ verifyImage: Buffer.alloc(2000).toString("base64") }), 400, "InvalidImage");
  assertError(await attempt({ verifyImage: image.subarray(0, 100).toString("base64") }), 400, "InvalidImageSize");
  assertError(await attempt({ verifyImage: "not base64!" }), 400, "InvalidRequestBody");
  const entries = async () => (await emulator.face(`${v12Preview}/${session.sessionId}/audit`)).json;
  assert.deepEqual(await entries(), [], "an invalid request is no attempt");
  assert.equal((await attempt({ verifyImage })).status, 200);
  assert.equal(at(await entries(), 0, "verifyImageHash"), sha256(image));

  const withImage = await openVerify(emulator);
  assertError(await emulator.attempt(withImage, { scenario: "realface", verifyImage }), 400, "InvalidRequestBody");
  const liveness = await emulator.open("/face/v1.2/detectLiveness-sessions");
  assertError(await emulator.attempt(liveness, { scenario: "realface", verifyImage }), 400, "InvalidRequestBody");
  assertError(
    await emulator.attempt(liveness, { scenario: "realface", matchConfidence: 1 }),
    400,
    "InvalidRequestBody",
  );
});

test("enableSessionImage: an image until the session is deleted", async (t) => {
  const emulator = await startStandIn(t);
  for (const [sessions, images] of [
    ["/face/v1.2/detectLiveness-sessions", "/face/v1.2/sessionImages"],
    ["/face/v1.2-preview.1/detectLiveness/singleModal/sessions", "/face/v1.2-preview.1/session/sessionImages"],
  ] as const) {
    const without = await emulator.open(sessions);
    await emulator.attempt(without, { scenario: "realface" });
    assert.doesNotMatch((await emulator.face(`${sessions}/${without.sessionId}`)).text, /sessionImageId/);

    const session = await emulator.open(sessions, { enableSessionImage: true });
    await emulator.attempt(session, { scenario: "realface" });
    const { text } = await emulator.face(`${sessions}/${session.sessionId}`);
    const imageId = /"sessionImageId":"([^"]+)"/.exec(text)?.[1];
    const image = await fetch(`${emulator.url}${images}/${imageId}`, {
      headers: { "ocp-apim-subscription-key": emulator.key },
    });
    assert.equal(image.status, 200);
    assert.equal(image.headers.get("content-type"), "application/octet-stream");
    const bytes = Buffer.from(await image.arrayBuffer());
    assert.equal(bytes.subarray(1, 4).toString(), "PNG");

    assertError(await emulator.face(`${images}/unknown`), 404, "SessionImageNotFound");
    await emulator.face(`${sessions}/${session.sessionId}`, { method: "DELETE" });
    assertError(await emulator.face(`${images}/${imageId}`), 404, "SessionImageNotFound");
  }
  assertError(await emulator.face("/face/v1.1-preview.1/session/sessionImages/x"), 404, "404");
});

test("the digest of client and service are equal, except with tamperDigest", async (t) => {
  const emulator = await startStandIn(t);
  const session = await openVerify(emulator);
  const honest = at((await emulator.attempt(session, { scenario: "realface" })).json, "digest");
  assert.match(String(honest), /^[0-9A-F]{64}$/);
  assert.equal(at(await resultOf(emulator, session.sessionId), "digest"), honest);
  const tampered = at((await emulator.attempt(session, { scenario: "realface", tamperDigest: true })).json, "digest");
  assert.match(String(tampered), /^[0-9A-F]{64}$/);
  assert.notEqual(at(await resultOf(emulator, session.sessionId), "digest"), tampered);
});

test("the app's own fields are unknown -> 400", async (t) => {
  const emulator = await startStandIn(t);
  const form = flatForm({ ...fields, clientReferenceId: "mine" }, makeImage());
  assertError(await emulator.face(v12, { body: form }), 400, "InvalidRequestBody");
  const json = { ...fields, referenceImageId: "held" };
  assertError(await emulator.face(v12Preview, { json }), 400, "InvalidRequestBody");
});
