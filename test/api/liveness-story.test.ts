import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { decodeJwt } from "jose";
import { assertError, control, creation, playAttempt, sessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

describe("a check from start to end", async () => {
  const { stack, app } = await openStack();

  test("opens a session, reads its result and records the outcome", async () => {
    const session = await app.openSession();
    assert.equal((await app.session(session.sessionId)).status, "NotStarted");
    assert.equal((await playAttempt(stack.emulator, session, { scenario: "realface" })).status, 200);
    const result = await app.send(`${sessionsPath}/${session.sessionId}`);
    assert.equal(result.status, 200);
    assert.ok(result.headers.get("apim-request-id"));

    const stored = await app.session(session.sessionId);
    assert.partialDeepStrictEqual(stored, {
      status: "Succeeded",
      decision: "accepted",
      reasons: ["RealFace", "ClientDigestMissing"],
      attempts: 1,
      final: true,
    });
    assert.deepEqual((await app.outcomes(session.deviceCorrelationId)).value, [stored]);
  });

  test("x-session-expires-on is the token's end, and no later answer contains the token", async () => {
    await control(stack.emulator, "/settings", { tokenInGet: true });
    const opened = await app.send(sessionsPath, creation(randomUUID(), { authTokenTimeToLiveInSeconds: 60 }));
    const { sessionId, authToken } = opened.body as { sessionId: string; authToken: string };
    const expiresOn = Date.parse(opened.headers.get("x-session-expires-on") ?? "");
    assert.ok(Math.abs(Number(decodeJwt(authToken).exp) * 1000 - expiresOn) < 5000);
    const result = await app.send(`${sessionsPath}/${sessionId}`);
    assert.equal(JSON.stringify(result.body).includes(authToken), false);
    await control(stack.emulator, "/settings", { tokenInGet: false });
  });

  test("DELETE revokes the token, keeps the outcome, and is a 404 the second time", async () => {
    const [unused, finished] = [await app.openSession(), await app.openSession()];
    await playAttempt(stack.emulator, finished, { scenario: "realface" });
    for (const [session, decision] of [
      [unused, "inconclusive"],
      [finished, "accepted"],
    ] as const) {
      const path = `${sessionsPath}/${session.sessionId}`;
      const deleted = await app.send(path, { method: "DELETE" });
      assert.deepEqual([deleted.status, deleted.body], [204, ""]);
      assertError(await app.send(path, { method: "DELETE" }), 404, "SessionNotFound");
      assert.equal((await playAttempt(stack.emulator, session, { scenario: "realface" })).status, 404);
      const stored = await app.session(session.sessionId);
      assert.partialDeepStrictEqual(stored, { status: "Canceled", final: true, decision });
    }
  });

  test("unknown and malformed session ids -> 404", async () => {
    for (const id of [randomUUID(), "x", "'", "%27%20or%20true", "a".repeat(300)]) {
      assertError(await app.send(`${sessionsPath}/${id}`), 404, "SessionNotFound");
      assertError(await app.send(`api/sessions/${id}`), 404, "SessionNotFound");
    }
  });

  test("device ids that no path can hold come in the query", async () => {
    for (const device of ["a/b", ".", "..", "-", "ü?#%&+ '", "!2f", "日本"]) {
      const { sessionId } = await app.openSession(device);
      const { body } = await app.send(`api/devices/-/outcomes?deviceCorrelationId=${encodeURIComponent(device)}`);
      const [latest] = (body as { value: { sessionId: string; deviceCorrelationId: string }[] }).value;
      assert.deepEqual([latest?.sessionId, latest?.deviceCorrelationId], [sessionId, device]);
    }
  });

  test("nextLink leads to every outcome of a device, newest first", async () => {
    const device = randomUUID();
    const opened: string[] = [];
    for (let count = 0; count < 3; count += 1) opened.unshift((await app.openSession(device)).sessionId);
    const { value, nextLink = assert.fail() } = await app.outcomes(device, "?top=2");
    assert.ok(nextLink.startsWith(`${stack.url}/`), nextLink);
    const rest = await app.outcomes(device, new URL(nextLink).search);
    assert.equal(rest.nextLink, undefined);
    assert.deepEqual(
      [value, rest.value].map((page) => page.map(({ sessionId }) => sessionId)),
      [opened.slice(0, 2), opened.slice(2)],
    );
  });
});
