import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { assertError, control, playAttempt } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const path = "face/v1.2/detectLiveness-sessions";
type Session = { sessionId: string; authToken: string };

describe("idempotent creation", async () => {
  const { stack, app } = await openStack({ env: { CREATION_LIMIT: "3", ALLOW_DEVICE_SET_IN_CLIENT: "true" } });

  const create = (key: string, device: string | undefined, fields: Record<string, unknown> = {}) =>
    app.send(path, {
      json: {
        livenessOperationMode: "Passive",
        ...(device === undefined ? { deviceCorrelationIdSetInClient: true } : { deviceCorrelationId: device }),
        ...fields,
      },
      headers: { "repeatability-request-id": key, "repeatability-first-sent": new Date().toUTCString() },
    });
  const live = async () => {
    const state = (await control(stack.emulator, "/state")) as { sessions: { sessionId: string }[] };
    return state.sessions.map(({ sessionId }) => sessionId);
  };

  test("answers the same session again where the service tells the token", async () => {
    await control(stack.emulator, "/settings", { tokenInGet: true });
    const [key, device] = [randomUUID(), randomUUID()];
    const first = await create(key, device);
    assert.equal(first.headers.get("repeatability-result"), "accepted");
    for (let count = 0; count < 4; count += 1) {
      const again = await create(key, device);
      assert.deepEqual([again.status, again.body], [200, first.body]);
      assert.equal(again.headers.get("x-session-expires-on"), first.headers.get("x-session-expires-on"));
    }
    await control(stack.emulator, "/settings", { tokenInGet: false });
  });

  test("else revokes it and opens another, which takes a place like any creation", async () => {
    const [key, device] = [randomUUID(), randomUUID()];
    let latest = (await create(key, device)).body as Session;
    for (let count = 0; count < 2; count += 1) {
      const again = await create(key, device);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      const next = again.body as Session;
      assert.notEqual(next.sessionId, latest.sessionId);
      assert.equal((await app.session(latest.sessionId)).status, "Canceled");
      assert.ok(!(await live()).includes(latest.sessionId));
      assert.ok((await playAttempt(stack.emulator, latest, { scenario: "realface" })).status >= 400);
      latest = next;
    }
    assertError(await create(key, device), 429, "429");
    assertError(await create(randomUUID(), device), 429, "429");
    assert.ok((await live()).includes(latest.sessionId), "a refused repeat leaves the session as it is");
    assert.equal((await app.session(latest.sessionId)).status, "NotStarted");
    await control(stack.emulator, "/clock", { advanceSeconds: 601 });
    assert.equal((await create(key, device)).status, 200);
    assert.equal((await app.session(latest.sessionId)).status, "Canceled");
  });

  test("refuses the key with another request, and once the session was used or deleted", async () => {
    const [key, device] = [randomUUID(), randomUUID()];
    const session = (await create(key, device)).body as Session;
    const other = await create(key, device, { authTokenTimeToLiveInSeconds: 700 });
    assertError(other, 422, "IdempotencyKeyReused");
    assert.equal(other.headers.get("repeatability-result"), "rejected");
    await playAttempt(stack.emulator, session, { scenario: "realface" });
    assertError(await create(key, device), 409, "SessionAlreadyUsed");
    const [otherKey, otherDevice] = [randomUUID(), randomUUID()];
    const deleted = (await create(otherKey, otherDevice)).body as Session;
    await app.send(`${path}/${deleted.sessionId}`, { method: "DELETE" });
    assertError(await create(otherKey, otherDevice), 409, "SessionAlreadyUsed");
  });

  test("is per device", async () => {
    const key = randomUUID();
    const one = (await create(key, randomUUID())).body as Session;
    const other = (await create(key, randomUUID())).body as Session;
    assert.notEqual(one.sessionId, other.sessionId);
  });

  test("answers 409 while the first is in flight, and opens one session in all", async () => {
    await control(stack.emulator, "/faults", { operation: "create", delayMs: 1500, times: 1 });
    const [key, device] = [randomUUID(), randomUUID()];
    const first = create(key, device);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const second = await create(key, device);
    assertError(second, 409, "CreationInProgress");
    assert.ok(second.headers.get("retry-after"));
    assert.equal((await first).status, 200);
    assert.equal((await app.outcomes(device)).value.length, 1);
  });

  test("opens anew after a crash, when the lease has ended", async () => {
    await control(stack.emulator, "/faults", { operation: "create", delayMs: 3000, times: 1 });
    const [key, device] = [randomUUID(), randomUUID()];
    const first = create(key, device).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 800));
    stack.app.kill("SIGKILL");
    await first;
    await stack.restartApp();
    assertError(await create(key, device), 409, "CreationInProgress");
    await control(stack.emulator, "/clock", { advanceSeconds: 31 });
    const again = await create(key, device);
    assert.equal(again.status, 200, JSON.stringify(again.body));
    assert.equal((await app.outcomes(device)).value.length, 1);
  });

  test("is per caller where the device is set in the client", async () => {
    await control(stack.emulator, "/settings", { tokenInGet: true });
    const key = randomUUID();
    const first = await create(key, undefined);
    assert.equal(first.status, 200, JSON.stringify(first.body));
    assert.deepEqual((await create(key, undefined)).body, first.body);
    const session = first.body as Session;
    const device = randomUUID();
    await playAttempt(stack.emulator, session, { scenario: "realface", deviceCorrelationId: device });
    const settled = await app.send(`api/sessions/${session.sessionId}/settle`, {
      json: { deviceCorrelationId: device },
    });
    assert.equal((settled.body as { deviceCorrelationId: string }).deviceCorrelationId, device);
    assert.equal((await app.outcomes(device)).value.length, 1);
    assertError(await create(key, undefined), 409, "SessionAlreadyUsed");
    await control(stack.emulator, "/settings", { tokenInGet: false });
  });

  test("refuses headers that make no sense", async () => {
    const json = { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID() };
    for (const headers of [
      { "idempotency-key": "with space" },
      { "idempotency-key": "x".repeat(300) },
      { "idempotency-key": "a", "repeatability-request-id": "b" },
      { "repeatability-request-id": "a", "repeatability-first-sent": "yesterday" },
    ] as Record<string, string>[]) {
      assertError(await app.send(path, { json, headers }), 400, "InvalidHeader");
    }
  });
});
