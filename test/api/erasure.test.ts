import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError, control, playAttempt } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const hour = 3600;

describe("erasing a device", async () => {
  const { stack, app } = await openStack();
  const storage = viewStorage(stack.azurite.connectionString);

  const erase = (device: string) => app.send(`api/devices/${device}`, { method: "DELETE" });
  const liveSessions = async () => {
    const state = (await control(stack.emulator, "/state")) as { sessions: { sessionId: string }[] };
    return state.sessions.map(({ sessionId }) => sessionId);
  };

  async function openVerify(device: string, image: Buffer<ArrayBuffer>) {
    const form = new FormData();
    form.set("livenessOperationMode", "Passive");
    form.set("deviceCorrelationId", device);
    form.set("verifyImage", new File([image], "me.jpg"));
    const opened = await app.send("face/v1.2/detectLivenessWithVerify-sessions", { method: "POST", body: form });
    assert.equal(opened.status, 200, JSON.stringify(opened.body));
    return opened.body as { sessionId: string; authToken: string };
  }

  test("removes everything here and the live sessions at the service, and nothing of others", async () => {
    const [device, other] = [randomUUID(), randomUUID()];
    const bystander = await app.openSession(other);
    await app.send("api/reference-images/of-the-device", {
      method: "PUT",
      body: makeImage({}, 1),
    });
    const bound = await app.send(`api/reference-images/of-the-device?deviceCorrelationId=${device}`, {
      method: "PUT",
      body: makeImage({}, 2),
    });
    assert.equal(bound.status, 200);
    await app.send(`api/reference-images/moved-on?deviceCorrelationId=${device}`, { method: "PUT", body: makeImage() });
    await app.send(`api/reference-images/moved-on?deviceCorrelationId=${other}`, { method: "PUT", body: makeImage() });

    const finished = await openVerify(device, makeImage());
    await playAttempt(stack.emulator, finished, { scenario: "realface" });
    await app.send(`face/v1.2/detectLivenessWithVerify-sessions/${finished.sessionId}`);
    const open = await app.openSession(device);
    await app.openSession(device);
    await app.send(`face/v1.2/detectLiveness-sessions/${open.sessionId}`, { method: "DELETE" });

    const erased = await erase(device);
    assert.deepEqual([erased.status, erased.body], [200, { sessions: 3, referenceImages: 1 }]);
    const everything = await storage.everything();
    for (const trace of [device, finished.sessionId, open.sessionId, "of-the-device"]) {
      assert.equal(everything.includes(trace), false, trace);
    }
    assert.deepEqual(await liveSessions(), [bystander.sessionId]);
    assert.equal((await app.send("api/reference-images/moved-on")).status, 200, "it belongs to another device now");
    assert.equal((await app.outcomes(device)).value.length, 0);
    assertError(await app.send(`api/sessions/${finished.sessionId}`), 404, "SessionNotFound");
    assert.equal((await app.outcomes(other)).value.length, 1);
    assert.deepEqual((await erase(device)).body, { sessions: 0, referenceImages: 0 });
    await app.openSession(device);
  });

  test("wins over a creation under way", async () => {
    const device = randomUUID();
    await control(stack.emulator, "/faults", { operation: "create", delayMs: 1500, times: 1 });
    const creation = app.send("face/v1.2/detectLivenessWithVerify-sessions", {
      method: "POST",
      body: (() => {
        const form = new FormData();
        form.set("livenessOperationMode", "Passive");
        form.set("deviceCorrelationId", device);
        form.set("verifyImage", new File([makeImage()], "me.jpg"));
        return form;
      })(),
    });
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal((await erase(device)).status, 200);
    assertError(await creation, 409, "CreationConflict");
    assert.equal((await storage.everything()).includes(device), false);
    assert.equal((await app.outcomes(device)).value.length, 0);
  });

  test("is completed by repeating it after the service failed halfway", async () => {
    const device = randomUUID();
    for (let count = 0; count < 4; count += 1) await app.openSession(device);
    await control(stack.emulator, "/faults", { operation: "delete", status: 500, rate: 0.7 });
    let answer = await erase(device);
    for (let tries = 0; answer.status !== 200 && tries < 40; tries += 1) answer = await erase(device);
    await control(stack.emulator, "/faults", undefined, "DELETE");
    assert.equal((await erase(device)).status, 200);
    assert.equal((await storage.everything()).includes(device), false);
  });

  test("removes what the timer has moved on in the meantime", async () => {
    const device = randomUUID();
    const session = await app.openSession(device);
    for (const seconds of [1 * hour, 50 * hour]) {
      await control(stack.emulator, "/clock", { advanceSeconds: seconds });
      assert.equal((await stack.app.runFunction("maintainSessions")).status, "Succeeded");
    }
    assert.equal((await storage.everything()).includes(session.sessionId), true);
    assert.deepEqual((await erase(device)).body, { sessions: 1, referenceImages: 0 });
    const everything = await storage.everything();
    assert.equal(everything.includes(device) || everything.includes(session.sessionId), false);
  });
});
