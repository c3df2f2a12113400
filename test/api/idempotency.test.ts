import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { assertError, creation, sessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { until } from "./support/until.ts";

type Session = { sessionId: string; authToken: string };

describe("idempotent creation", async () => {
  const { stack, app, play, control, emulatorState } = await openStack({
    env: { CREATION_LIMIT: "3", ALLOW_DEVICE_SET_IN_CLIENT: "true" },
  });

  const create = (key: string, device: string | undefined, fields: Record<string, unknown> = {}) => {
    const inClient = { deviceCorrelationId: undefined, deviceCorrelationIdSetInClient: true };
    return app.send(sessionsPath, {
      ...creation(device, { ...(device === undefined && inClient), ...fields }),
      headers: { "repeatability-request-id": key, "repeatability-first-sent": new Date().toUTCString() },
    });
  };
  const live = async () => (await emulatorState()).sessions.map(({ sessionId }) => sessionId);
  /** Starts a creation that the service delays, and waits until the service has received it. */
  const createDelayed = async (key: string, device: string, delayMs: number) => {
    await control("/faults", { operation: "create", delayMs, times: 1 });
    const { calls } = await emulatorState();
    const answer = create(key, device);
    answer.catch(() => undefined);
    await until(async () => (await emulatorState()).calls.create > calls.create);
    return { answer };
  };

  test("a repeat gets the same session while the service returns the token", async () => {
    await control("/settings", { tokenInGet: true });
    const [key, device] = [randomUUID(), randomUUID()];
    const first = await create(key, device);
    assert.equal(first.headers.get("repeatability-result"), "accepted");
    for (let count = 0; count < 4; count += 1) {
      const again = await create(key, device);
      assert.deepEqual([again.status, again.body], [200, first.body]);
      assert.equal(again.headers.get("x-session-expires-on"), first.headers.get("x-session-expires-on"));
    }
    await control("/settings", { tokenInGet: false });
  });

  test("otherwise a repeat revokes the session and opens another, which counts against the limit", async () => {
    const [key, device] = [randomUUID(), randomUUID()];
    let latest = (await create(key, device)).body as Session;
    for (let count = 0; count < 2; count += 1) {
      const again = await create(key, device);
      assert.equal(again.status, 200, JSON.stringify(again.body));
      const next = again.body as Session;
      assert.notEqual(next.sessionId, latest.sessionId);
      assert.equal((await app.session(latest.sessionId)).status, "Canceled");
      assert.ok(!(await live()).includes(latest.sessionId));
      assert.equal((await play(latest, { scenario: "realface" })).status, 404);
      latest = next;
    }
    assertError(await create(key, device), 429, "429");
    assertError(await create(randomUUID(), device), 429, "429");
    assert.ok((await live()).includes(latest.sessionId), "a refused repeat does not revoke the session");
    assert.equal((await app.session(latest.sessionId)).status, "NotStarted");
    await control("/clock", { advanceSeconds: 601 });
    assert.equal((await create(key, device)).status, 200);
    assert.equal((await app.session(latest.sessionId)).status, "Canceled");
  });

  test("key reused with another body -> 422, session used or deleted -> 409", async () => {
    const [key, device] = [randomUUID(), randomUUID()];
    const session = (await create(key, device)).body as Session;
    const other = await create(key, device, { authTokenTimeToLiveInSeconds: 700 });
    assertError(other, 422, "IdempotencyKeyReused");
    assert.equal(other.headers.get("repeatability-result"), "rejected");
    await play(session, { scenario: "realface" });
    assertError(await create(key, device), 409, "SessionAlreadyUsed");
    const otherDevice = randomUUID();
    const deleted = (await create(key, otherDevice)).body as Session;
    assert.notEqual(deleted.sessionId, session.sessionId, "the key of another device");
    await app.send(`${sessionsPath}/${deleted.sessionId}`, { method: "DELETE" });
    assertError(await create(key, otherDevice), 409, "SessionAlreadyUsed");
  });

  test("a repeat while the first request is in flight -> 409, and only one session is opened", async () => {
    const [key, device] = [randomUUID(), randomUUID()];
    const { answer: first } = await createDelayed(key, device, 1500);
    const second = await create(key, device);
    assertError(second, 409, "CreationInProgress");
    assert.ok(second.headers.get("retry-after"));
    assert.equal((await first).status, 200);
    assert.equal((await app.outcomes(device)).value.length, 1);
  });

  test("a repeat after a crash opens a session once the lease has ended", async () => {
    const [key, device] = [randomUUID(), randomUUID()];
    const { answer: first } = await createDelayed(key, device, 3000);
    stack.app.kill("SIGKILL");
    await first.catch(() => undefined);
    await stack.restartApp();
    assertError(await create(key, device), 409, "CreationInProgress");
    await control("/clock", { advanceSeconds: 31 });
    const again = await create(key, device);
    assert.equal(again.status, 200, JSON.stringify(again.body));
    assert.equal((await app.outcomes(device)).value.length, 1);
  });

  test("a key is scoped to the caller where the device is set in the client", async () => {
    await control("/settings", { tokenInGet: true });
    const key = randomUUID();
    const first = await create(key, undefined);
    assert.equal(first.status, 200, JSON.stringify(first.body));
    assert.deepEqual((await create(key, undefined)).body, first.body);
    const session = first.body as Session;
    const device = randomUUID();
    await play(session, { scenario: "realface", deviceCorrelationId: device });
    const settled = await app.settle(session.sessionId, { deviceCorrelationId: device });
    assert.equal(settled.deviceCorrelationId, device);
    assert.equal((await app.outcomes(device)).value.length, 1);
    assertError(await create(key, undefined), 409, "SessionAlreadyUsed");
    await control("/settings", { tokenInGet: false });
  });

  test("invalid idempotency headers -> 400", async () => {
    for (const headers of [
      { "idempotency-key": "with space" },
      { "idempotency-key": "x".repeat(300) },
      { "idempotency-key": "a", "repeatability-request-id": "b" },
      { "repeatability-request-id": "a", "repeatability-first-sent": "yesterday" },
    ] as Record<string, string>[]) {
      assertError(await app.send(sessionsPath, { ...creation(), headers }), 400, "InvalidHeader");
    }
  });
});
