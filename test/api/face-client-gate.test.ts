import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createFaceService } from "../../src/face/client/face-service.ts";
import { apiVersions } from "../../src/face/model.ts";
import { codecs } from "../../src/face/versions/codecs.ts";
import { startFaceEmulator } from "../local/emulator/emulator.ts";
import { control, emulatorState, playAttempt } from "./support/app-client.ts";

/** A gate that admits every request and records the reported results. */
function openGate() {
  const reported: [number, string | undefined][] = [];
  let entered = 0;
  const gate = async () => {
    entered += 1;
    return (status: number, retryAfter?: string) => void reported.push([status, retryAfter]);
  };
  return { gate, reported, entered: () => entered };
}

async function startEmulator(t: TestContext) {
  const emulator = await startFaceEmulator();
  t.after(() => emulator.close());
  return emulator;
}

const request = {
  livenessOperationMode: "Passive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  userCorrelationId: "a-user",
  authTokenTimeToLiveInSeconds: 600,
} as const;

for (const apiVersion of apiVersions) {
  test(`every request of a call passes the gate, in ${apiVersion}`, async (t) => {
    const emulator = await startEmulator(t);
    const face = createFaceService({ endpoint: emulator.url, apiVersion, credential: { key: emulator.key } });
    const { value } = await face.create("liveness", request);
    const session = { kind: "liveness", sessionId: value.sessionId, upstreamVersion: apiVersion } as const;
    await playAttempt(emulator, value, { scenario: "realface" });

    const read = openGate();
    await face.get(session, { gate: read.gate });
    const { deletedStatus, paths } = codecs[apiVersion];
    const requests = paths.audit === undefined ? 1 : 2;
    assert.deepEqual([read.entered(), read.reported], [requests, Array(requests).fill([200, undefined])]);

    await control(emulator, "/faults", { operation: "delete", status: 500, times: 1 });
    await control(emulator, "/faults", { operation: "delete", reset: true, times: 1 });
    const removed = openGate();
    assert.equal(await face.revoke(session, { gate: removed.gate }), true);
    assert.equal(removed.entered(), 3);
    assert.deepEqual(
      removed.reported.map(([status]) => status),
      [500, deletedStatus],
    );

    await control(emulator, "/faults", { operation: "get", status: 429, retryAfter: 30, times: 1 });
    const refused = openGate();
    await assert.rejects(face.get(session, { gate: refused.gate }), { status: 429 });
    assert.deepEqual(refused.reported, [[429, "30"]]);
    await control(emulator, "/faults", { operation: "get", status: 429, times: 1 });
    await assert.rejects(face.get(session, { gate: refused.gate }), { status: 429 });
    assert.deepEqual(refused.reported[1], [429, undefined], "a delay in the message alone is not reported");
  });
}

test("a gate that rejects ends the call before its request", async (t) => {
  const emulator = await startEmulator(t);
  const face = createFaceService({ endpoint: emulator.url, apiVersion: "v1.2", credential: { key: emulator.key } });
  const closed = new Error("closed");
  const session = { kind: "liveness", sessionId: "unknown", upstreamVersion: "v1.2" } as const;
  await assert.rejects(face.get(session, { gate: () => Promise.reject(closed) }), closed);
  const { calls } = await emulatorState({ emulator });
  assert.equal(calls.get, 0);
});
