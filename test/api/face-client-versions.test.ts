import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createFaceService } from "../../src/face/client/face-service.ts";
import { type ApiVersion, apiVersions, type SessionRequest } from "../../src/face/model.ts";
import { describeError } from "../../src/http/log.ts";
import { makeImage } from "../fixtures/images.ts";
import { at, startStandIn } from "./emulator/stand-in.ts";
import { failureOf, ref, startService } from "./support/face-service.ts";

const request: SessionRequest = {
  livenessOperationMode: "PassiveActive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  userCorrelationId: "a-user",
  authTokenTimeToLiveInSeconds: 600,
  numberOfClientAttemptsAllowed: 2,
};

for (const apiVersion of apiVersions) {
  test(`a whole check with verify, called in ${apiVersion}`, async (t) => {
    const emulator = await startStandIn(t);
    const face = createFaceService({ endpoint: emulator.url, apiVersion, credential: { key: emulator.key } });
    await face.probe();

    const bytes = makeImage();
    const isOldest = apiVersion === "v1.1-preview.1";
    const asked = isOldest ? request : { ...request, enableSessionImage: true, returnVerifyImageHash: true };
    const { value: session, requestId } = await face.create("livenessWithVerify", asked, { bytes });
    const opened = ref("livenessWithVerify", session.sessionId, apiVersion);
    assert.match(requestId ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(session.verifyReferences.length, 1);
    assert.equal((await face.get(opened))?.value.status, "NotStarted");

    await emulator.attempt(session, { scenario: "FaceWithMaskDetected" });
    const played = await emulator.attempt(session, { scenario: "realface", matchConfidence: 0.8 });
    const state = (await face.get(opened))?.value;
    assert.equal(state?.status, "Succeeded");
    assert.equal(state.attempts.length, 2);
    const [failed, succeeded] = state.attempts;
    assert.equal(failed?.error?.code, "FaceWithMaskDetected");
    assert.equal(succeeded?.result?.livenessDecision, "realface");
    assert.equal(succeeded.result.digest, at(played.json, "digest"));
    assert.deepEqual(succeeded.result.verifyResult, { matchConfidence: 0.8, isIdentical: true });

    const { sessionImageId, verifyImageHash } = succeeded.result;
    const hash = createHash("sha256").update(bytes).digest("hex");
    assert.equal(verifyImageHash?.toLowerCase(), isOldest ? undefined : hash);
    const image = sessionImageId === undefined ? undefined : await face.sessionImage(sessionImageId);
    assert.equal(image !== undefined, !isOldest);

    assert.equal(await face.revoke(opened), true);
    assert.equal(await face.revoke(opened), false);
    assert.equal(await face.get(opened), undefined);
  });
}

test("settings and client assets tokens, called in v1.3-preview.1 only", async (t) => {
  const emulator = await startStandIn(t);
  const connect = (apiVersion: ApiVersion) =>
    createFaceService({ endpoint: emulator.url, apiVersion, credential: { key: emulator.key } });
  const { settings } = connect("v1.3-preview.1");
  assert.ok(settings);
  const isOn = async () => (await settings.read()).value.livenessAbuseMonitoring.enabled;
  assert.equal(await isOn(), true);
  const { value, requestId } = await settings.change({ livenessAbuseMonitoring: { enabled: false } });
  assert.deepEqual(value, { livenessAbuseMonitoring: { enabled: false } });
  assert.match(requestId ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(await isOn(), false);
  const { accessToken, base64AccessToken } = (await settings.clientAssetsToken()).value;
  assert.equal(Buffer.from(base64AccessToken, "base64").toString(), accessToken);
  for (const version of apiVersions.slice(0, -1)) assert.equal(connect(version).settings, undefined, version);
});

test("a client assets token in an answer of another shape -> 502, and not in the error as it is logged", async (t) => {
  const secret = "secret-credential";
  for (const body of [
    JSON.stringify({ accessToken: secret, base64AccessToken: secret }),
    JSON.stringify({ expiry: 5, accessToken: [secret], base64AccessToken: secret }),
    JSON.stringify(secret),
    `{ "accessToken": "${secret}"`,
  ]) {
    const { face } = await startService(t, () => ({ body }), { apiVersion: "v1.3-preview.1" });
    const { settings = assert.fail("no settings") } = face;
    const failure = await failureOf(settings.clientAssetsToken());
    assert.deepEqual([failure.status, failure.code], [502, "FaceResponseInvalid"]);
    assert.equal(JSON.stringify([failure.message, describeError(failure)]).includes(secret), false);
  }
});
