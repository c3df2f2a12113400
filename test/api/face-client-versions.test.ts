import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createFaceService } from "../../src/face/client/face-service.ts";
import type { Throttling } from "../../src/face/errors.ts";
import { type ApiVersion, apiVersions } from "../../src/face/model.ts";
import { codecs } from "../../src/face/versions/codecs.ts";
import { describeError } from "../../src/http/log.ts";
import { startFaceEmulator } from "../local/emulator/emulator.ts";
import { control, emulatorState, playAttempt } from "./support/app-client.ts";
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
