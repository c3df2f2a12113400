import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import * as z from "zod";
import { makeImage } from "../fixtures/images.ts";
import { clientKey, principal } from "../unit/fakes/principals.ts";
import {
  assertError,
  createAppClient,
  sessionsPath,
  verifyCreation,
  verifySessionsPath,
} from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";
import { until } from "./support/until.ts";

const hour = 3600;
const listShape = z.object({ value: z.array(z.object({ sessionId: z.string() })) });

describe("an erasure", async () => {
  const { stack, play, control, emulatorState } = await openStack({
    env: { ...clientKey.settings, ALLOW_DEVICE_SET_IN_CLIENT: "true" },
  });
  const app = createAppClient(stack.url, clientKey.headers);
  const storage = viewStorage(stack.azurite.connectionString);

  type Kind = "devices" | "users";
  const erase = (kind: Kind, id: string) => app.send(`api/${kind}/${id}`, { method: "DELETE" });
  const outcomes = async (kind: Kind, id: string) =>
    listShape.parse((await app.send(`api/${kind}/${id}/outcomes`)).body).value.map(({ sessionId }) => sessionId);
  const liveIds = async () => (await emulatorState()).sessions.map(({ sessionId }) => sessionId);
  async function assertNoTrace(...traces: string[]): Promise<void> {
    const everything = await storage.everything();
    for (const trace of traces) assert.equal(everything.includes(trace), false, trace);
  }
  const runTimer = async (advanceSeconds: number) => {
    await control("/clock", { advanceSeconds });
    assert.equal((await stack.app.runFunction("maintainSessions")).status, "Succeeded");
  };

  test("of a device: all its data and its live sessions at the service, and nothing of other devices", async () => {
    const put = (id: string, device: string) =>
      app.send(`api/reference-images/${id}?deviceCorrelationId=${device}`, { method: "PUT", body: makeImage() });
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

    const erased = await erase("devices", device);
    assert.deepEqual([erased.status, erased.body], [200, { sessions: 3, referenceImages: 1 }]);
    await assertNoTrace(device, finished.sessionId, open.sessionId, "of-the-device");
    assert.deepEqual(await liveIds(), [bystander.sessionId]);
    assert.equal((await app.send("api/reference-images/moved-on")).status, 200, "bound to the other device");
    assert.equal((await app.outcomes(device)).value.length, 0);
    assertError(await app.send(`api/sessions/${finished.sessionId}`), 404, "SessionNotFound");
    assert.equal((await app.outcomes(other)).value.length, 1);
    assert.deepEqual((await erase("devices", device)).body, { sessions: 0, referenceImages: 0 });
    await app.openSession(device);
  });

  test("of a user: sessions of all callers, devices and phases, their images, and the live ones at the service", async () => {
    const user = `user-${randomUUID()}`;
    const named = { userCorrelationId: user };
    const bystander = await app.openSession(undefined, { userCorrelationId: randomUUID() });
    const settled = await app.openVerify(undefined, named);
    await play(settled, { scenario: "realface" });
    await app.settle(settled.sessionId);
    const signedIn = await createAppClient(stack.url, principal("dave")).openSession(undefined, named);
    const fields = { ...named, deviceCorrelationId: undefined, deviceCorrelationIdSetInClient: true };
    const inClient = await app.openSession(undefined, fields);
    const bound = await app.openSession(undefined, fields);
    const deviceCorrelationId = randomUUID();
    await play(bound, { scenario: "realface", deviceCorrelationId });
    const resource = await app.settle(bound.sessionId, { deviceCorrelationId });
    assert.equal(resource.deviceCorrelationId, deviceCorrelationId);
    const ids = [settled, signedIn, inClient, bound].map(({ sessionId }) => sessionId);
    assert.deepEqual((await outcomes("users", user)).sort(), ids.toSorted());

    const erased = await erase("users", user);
    assert.deepEqual([erased.status, erased.body], [200, { sessions: 4 }]);
    await assertNoTrace(user, deviceCorrelationId, ...ids, settled.referenceImageId);
    const live = await liveIds();
    const left = [...ids, bystander.sessionId].filter((id) => live.includes(id));
    assert.deepEqual(left, [bystander.sessionId]);
    assert.deepEqual(await outcomes("users", user), []);
    assertError(await app.send(`api/sessions/${settled.sessionId}`), 404, "SessionNotFound");
    assert.deepEqual((await erase("users", user)).body, { sessions: 0 });
  });

  for (const kind of ["devices", "users"] as const) {
    const open = (id: string) =>
      kind === "devices" ? app.openSession(id) : app.openSession(undefined, { userCorrelationId: id });

    test(`of ${kind}, with a creation in flight -> 409, and leaves nothing`, async () => {
      const id = randomUUID();
      const { create } = (await emulatorState()).calls;
      await control("/faults", { operation: "create", delayMs: 1500, times: 1 });
      const request = kind === "devices" ? verifyCreation(id) : verifyCreation(undefined, { userCorrelationId: id });
      const creation = app.send(verifySessionsPath, request);
      await until(async () => (await emulatorState()).calls.create > create);
      assert.partialDeepStrictEqual(await erase(kind, id), { status: 200, body: { sessions: 0 } });
      assertError(await creation, 409, "CreationConflict");
      await assertNoTrace(id);
      assert.deepEqual(await outcomes(kind, id), []);
    });

    test(`of ${kind}, failed halfway at the service -> completed by a retry`, async () => {
      const id = randomUUID();
      for (let count = 0; count < 4; count += 1) await open(id);
      await control("/faults", { operation: "delete", status: 500, rate: 0.7 });
      let answer = await erase(kind, id);
      for (let tries = 0; answer.status !== 200 && tries < 40; tries += 1) answer = await erase(kind, id);
      await control("/faults", undefined, "DELETE");
      assert.equal((await erase(kind, id)).status, 200);
      await assertNoTrace(id);
    });
  }

  test("of a device whose rows the timer has moved to a later phase", async () => {
    const device = randomUUID();
    const { sessionId } = await app.openSession(device);
    for (const hours of [1, 50]) await runTimer(hours * hour);
    assert.equal((await storage.everything()).includes(sessionId), true);
    assert.deepEqual((await erase("devices", device)).body, { sessions: 1, referenceImages: 0 });
    await assertNoTrace(device, sessionId);
  });

  test("by the timer: the user's entry goes with the session", async () => {
    const user = `user-${randomUUID()}`;
    await app.openSession(undefined, { userCorrelationId: user });
    for (const hours of [1, 50, 91 * 24]) await runTimer(hours * hour);
    await assertNoTrace(user);
  });
});
