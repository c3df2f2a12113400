import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError, sessionsPath, verifyCreation, verifySessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";
import { until } from "./support/until.ts";

const hour = 3600;

describe("erasing a device", async () => {
  const { stack, app, play, control, emulatorState } = await openStack();
  const storage = viewStorage(stack.azurite.connectionString);

  const erase = (device: string) => app.send(`api/devices/${device}`, { method: "DELETE" });
  const put = (id: string, device: string) => {
    const path = `api/reference-images/${id}?deviceCorrelationId=${device}`;
    return app.send(path, { method: "PUT", body: makeImage() });
  };

  test("removes all data of the device and its live sessions at the service, and nothing of other devices", async () => {
    const [device, other] = [randomUUID(), randomUUID()];
    const bystander = await app.openSession(other);
    await app.send("api/reference-images/of-the-device", { method: "PUT", body: makeImage({}, 1) });
    assert.equal((await put("of-the-device", device)).status, 200);
    await put("moved-on", device);
    await put("moved-on", other);

    const finished = await app.openVerify(device);
    await play(finished, { scenario: "realface" });
    await app.send(`${verifySessionsPath}/${finished.sessionId}`);
    const open = await app.openSession(device);
    await app.openSession(device);
    await app.send(`${sessionsPath}/${open.sessionId}`, { method: "DELETE" });

    const erased = await erase(device);
    assert.deepEqual([erased.status, erased.body], [200, { sessions: 3, referenceImages: 1 }]);
    const everything = await storage.everything();
    for (const trace of [device, finished.sessionId, open.sessionId, "of-the-device"]) {
      assert.equal(everything.includes(trace), false, trace);
    }
    const live = (await emulatorState()).sessions.map(({ sessionId }) => sessionId);
    assert.deepEqual(live, [bystander.sessionId]);
    assert.equal((await app.send("api/reference-images/moved-on")).status, 200, "bound to the other device");
    assert.equal((await app.outcomes(device)).value.length, 0);
    assertError(await app.send(`api/sessions/${finished.sessionId}`), 404, "SessionNotFound");
    assert.equal((await app.outcomes(other)).value.length, 1);
    assert.deepEqual((await erase(device)).body, { sessions: 0, referenceImages: 0 });
    await app.openSession(device);
  });

  test("a creation in flight -> 409, and leaves nothing", async () => {
    const device = randomUUID();
    const { create } = (await emulatorState()).calls;
    await control("/faults", { operation: "create", delayMs: 1500, times: 1 });
    const creation = app.send(verifySessionsPath, verifyCreation(device));
    await until(async () => (await emulatorState()).calls.create > create);
    assert.equal((await erase(device)).status, 200);
    assertError(await creation, 409, "CreationConflict");
    assert.equal((await storage.everything()).includes(device), false);
    assert.equal((await app.outcomes(device)).value.length, 0);
  });

  test("a retry completes an erasure that failed halfway at the service", async () => {
    const device = randomUUID();
    for (let count = 0; count < 4; count += 1) await app.openSession(device);
    await control("/faults", { operation: "delete", status: 500, rate: 0.7 });
    let answer = await erase(device);
    for (let tries = 0; answer.status !== 200 && tries < 40; tries += 1) answer = await erase(device);
    await control("/faults", undefined, "DELETE");
    assert.equal((await erase(device)).status, 200);
    assert.equal((await storage.everything()).includes(device), false);
  });

  test("removes rows that the timer has moved to a later phase", async () => {
    const device = randomUUID();
    const session = await app.openSession(device);
    for (const seconds of [1 * hour, 50 * hour]) {
      await control("/clock", { advanceSeconds: seconds });
      assert.equal((await stack.app.runFunction("maintainSessions")).status, "Succeeded");
    }
    assert.equal((await storage.everything()).includes(session.sessionId), true);
    assert.deepEqual((await erase(device)).body, { sessions: 1, referenceImages: 0 });
    const everything = await storage.everything();
    assert.equal(everything.includes(device) || everything.includes(session.sessionId), false);
  });
});
