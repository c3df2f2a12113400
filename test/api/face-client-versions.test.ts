import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { createFaceService } from "../../src/face/client/face-service.ts";
import type { Throttling } from "../../src/face/errors.ts";
import { type ApiVersion, apiVersions, type SessionRequest } from "../../src/face/model.ts";
import { codecs } from "../../src/face/versions/codecs.ts";
import { describeError } from "../../src/http/log.ts";
import { makeImage } from "../fixtures/images.ts";
import { startFaceEmulator } from "../local/emulator/emulator.ts";
import { control, digestOf, emulatorState, playAttempt } from "./support/app-client.ts";
import { failureOf, ref, request, startService } from "./support/face-service.ts";

/** The client of the Face service, in each version, with the emulator as the service. */

async function startClient(t: TestContext, apiVersion: ApiVersion) {
  const emulator = await startFaceEmulator();
  t.after(() => emulator.close());
  return {
    emulator,
    face: createFaceService({ endpoint: emulator.url, apiVersion, credential: { key: emulator.key } }),
  };
}

/** A gate that admits every request and records the reported results; 0: not throttled. */
function openGate() {
  const reported: (Throttling | 0)[] = [];
  let entered = 0;
  const gate = async () => {
    entered += 1;
    return (throttling?: Throttling) => void reported.push(throttling ?? 0);
  };
  return { gate, reported, entered: () => entered };
}

for (const apiVersion of apiVersions) {
  test(`a whole check with verify, called in ${apiVersion}`, async (t) => {
    const { emulator, face } = await startClient(t, apiVersion);
    await face.probe();

    const bytes = makeImage();
    const isOldest = apiVersion === "v1.1-preview.1";
    const common: SessionRequest = {
      ...request,
      livenessOperationMode: "PassiveActive",
      numberOfClientAttemptsAllowed: 2,
    };
    const asked = isOldest ? common : { ...common, enableSessionImage: true, returnVerifyImageHash: true };
    const { value: session, requestId } = await face.create("livenessWithVerify", asked, { bytes });
    const opened = ref("livenessWithVerify", session.sessionId, apiVersion);
    assert.match(requestId ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(session.verifyReferences.length, 1);
    assert.equal((await face.get(opened))?.value.status, "NotStarted");

    await playAttempt(emulator, session, { scenario: "FaceWithMaskDetected" });
    const played = await playAttempt(emulator, session, { scenario: "realface", matchConfidence: 0.8 });
    const state = (await face.get(opened))?.value;
    assert.equal(state?.status, "Succeeded");
    assert.equal(state.attempts.length, 2);
    const [failed, succeeded] = state.attempts;
    assert.equal(failed?.error?.code, "FaceWithMaskDetected");
    assert.equal(succeeded?.result?.livenessDecision, "realface");
    assert.equal(succeeded.result.digest, digestOf(played));
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

for (const apiVersion of apiVersions) {
  test(`every request of a call passes the gate, in ${apiVersion}`, async (t) => {
    const { emulator, face } = await startClient(t, apiVersion);
    const { value } = await face.create("liveness", request);
    const session = ref("liveness", value.sessionId, apiVersion);
    await playAttempt(emulator, value, { scenario: "realface" });

    const read = openGate();
    await face.get(session, { gate: read.gate });
    const { paths } = codecs[apiVersion];
    const requests = paths.audit === undefined ? 1 : 2;
    assert.deepEqual([read.entered(), read.reported], [requests, Array(requests).fill(0)]);

    await control(emulator, "/faults", { operation: "delete", status: 500, times: 1 });
    await control(emulator, "/faults", { operation: "delete", reset: true, times: 1 });
    const removed = openGate();
    assert.equal(await face.revoke(session, { gate: removed.gate }), true);
    assert.equal(removed.entered(), 3);
    assert.deepEqual(removed.reported, [0, 0], "a request without a response has no result");

    await control(emulator, "/faults", { operation: "get", status: 429, retryAfter: 30, times: 1 });
    const refused = openGate();
    await assert.rejects(face.get(session, { gate: refused.gate }), { status: 429 });
    assert.deepEqual(refused.reported, [{ waitMs: 30_000 }]);
    await control(emulator, "/faults", { operation: "get", status: 429, times: 1 });
    await assert.rejects(face.get(session, { gate: refused.gate }), { status: 429 });
    assert.deepEqual(refused.reported[1], {}, "a delay in the message alone is not reported");
  });
}

test("a gate that rejects ends the call before its request", async (t) => {
  const { emulator, face } = await startClient(t, "v1.2");
  const closed = new Error("closed");
  await assert.rejects(face.get(ref("liveness", "unknown"), { gate: () => Promise.reject(closed) }), closed);
  assert.equal((await emulatorState({ emulator })).calls.get, 0);
});

test("settings and client assets tokens, called in v1.3-preview.1 only", async (t) => {
  const { face } = await startClient(t, "v1.3-preview.1");
  const { settings } = face;
  assert.ok(settings);
  const isOn = async () => (await settings.read()).value.livenessAbuseMonitoring.enabled;
  assert.equal(await isOn(), true);
  const { value, requestId } = await settings.change({ livenessAbuseMonitoring: { enabled: false } });
  assert.deepEqual(value, { livenessAbuseMonitoring: { enabled: false } });
  assert.match(requestId ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(await isOn(), false);
  const { accessToken, base64AccessToken } = (await settings.clientAssetsToken()).value;
  assert.equal(Buffer.from(base64AccessToken, "base64").toString(), accessToken);
  for (const version of apiVersions.slice(0, -1)) {
    assert.equal((await startClient(t, version)).face.settings, undefined, version);
  }
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
