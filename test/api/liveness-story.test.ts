import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import createFaceClient, { isUnexpected } from "@azure/ai-vision-face";
import { makeImage } from "../fixtures/images.ts";
import { assertError, creation, sessionsPath, verifySessionsPath } from "./support/app-client.ts";
import { faceClientOptions } from "./support/face-client-options.ts";
import { openStack } from "./support/open-stack.ts";

describe("a check from start to end", async () => {
  const { stack, app, play, control } = await openStack();

  test("opens a session, sees an attempt, records the outcome", async () => {
    const session = await app.openSession();
    assert.match(session.authToken, /^ey.*\..*\..*$/);
    assert.deepEqual((await app.session(session.sessionId)).status, "NotStarted");

    const played = await play(session, { scenario: "realface" });
    assert.equal(played.status, 200);
    const result = await app.send(`${sessionsPath}/${session.sessionId}`);
    assert.equal(result.status, 200);
    assert.ok(result.headers.get("apim-request-id"));
    assert.equal(JSON.stringify(result.body).includes("authToken"), false);

    const stored = await app.session(session.sessionId);
    const { status, decision, reasons, attempts, final } = stored;
    assert.deepEqual([status, decision, attempts, final], ["Succeeded", "accepted", 1, true]);
    assert.deepEqual(reasons, ["RealFace", "ClientDigestMissing"]);
    assert.deepEqual((await app.outcomes(session.deviceCorrelationId)).value, [stored]);
  });

  for (const [scenario, decision] of [
    ["spoofface", "rejected"],
    ["uncertain", "inconclusive"],
  ] as const) {
    test(`decides ${decision} on ${scenario}`, async () => {
      const session = await app.openSession();
      await play(session, { scenario });
      await app.send(`${sessionsPath}/${session.sessionId}`);
      assert.equal((await app.session(session.sessionId)).decision, decision);
    });
  }

  test("keeps count of failed attempts until the third", async () => {
    const session = await app.openSession();
    for (const attempts of [1, 2, 3]) {
      await play(session, { scenario: "FaceWithMaskDetected" });
      await app.send(`${sessionsPath}/${session.sessionId}`);
      const stored = await app.session(session.sessionId);
      assert.deepEqual([stored.attempts, stored.final, stored.decision], [attempts, attempts === 3, "inconclusive"]);
    }
    const { body } = await app.send(`api/sessions/${session.sessionId}/audit-entries`);
    assert.equal((body as { value: unknown[] }).value.length, 3);
  });

  test("the creation returns the end of the token, and no later answer contains the token", async () => {
    await control("/settings", { tokenInGet: true });
    const opened = await app.send(sessionsPath, creation(randomUUID(), { authTokenTimeToLiveInSeconds: 60 }));
    const { sessionId, authToken } = opened.body as { sessionId: string; authToken: string };
    const expiresOn = Date.parse(opened.headers.get("x-session-expires-on") ?? "");
    const [, claims = ""] = authToken.split(".");
    const { exp } = JSON.parse(Buffer.from(claims, "base64url").toString());
    assert.ok(Math.abs(exp * 1000 - expiresOn) < 5000);
    const result = await app.send(`${sessionsPath}/${sessionId}`);
    assert.equal(JSON.stringify(result.body).includes(authToken), false);
    await control("/settings", { tokenInGet: false });
  });

  test("revokes a deleted session, answers 404 from then on, and keeps its record", async () => {
    const session = await app.openSession();
    const path = `${sessionsPath}/${session.sessionId}`;
    const deleted = await app.send(path, { method: "DELETE" });
    assert.deepEqual([deleted.status, deleted.body], [204, ""]);
    assertError(await app.send(path), 404, "SessionNotFound");
    assertError(await app.send(path, { method: "DELETE" }), 404, "SessionNotFound");
    assert.equal((await play(session, { scenario: "realface" })).status, 404);
    const stored = await app.session(session.sessionId);
    assert.deepEqual([stored.status, stored.final, stored.decision], ["Canceled", true, "inconclusive"]);
  });

  test("collects the outcome of a finished session before it is deleted", async () => {
    const session = await app.openSession();
    await play(session, { scenario: "realface" });
    await app.send(`${sessionsPath}/${session.sessionId}`, { method: "DELETE" });
    const stored = await app.session(session.sessionId);
    assert.deepEqual([stored.status, stored.decision], ["Canceled", "accepted"]);
  });

  test("404 for a session of the other kind, an unknown session and a malformed id", async () => {
    const session = await app.openSession();
    for (const id of [randomUUID(), "x", "'", "%27%20or%20true", "a".repeat(300)]) {
      assertError(await app.send(`${sessionsPath}/${id}`), 404, "SessionNotFound");
      assertError(await app.send(`api/sessions/${id}`), 404, "SessionNotFound");
    }
    const other = await app.send(`${verifySessionsPath}/${session.sessionId}`);
    assertError(other, 404, "SessionNotFound");
  });

  test("pages a device's outcomes, newest first", async () => {
    const device = randomUUID();
    const opened: string[] = [];
    for (let count = 0; count < 5; count += 1) opened.unshift((await app.openSession(device)).sessionId);
    const seen: string[] = [];
    let page = await app.outcomes(device, "?top=2");
    for (;;) {
      seen.push(...page.value.map(({ sessionId }) => sessionId));
      assert.ok(page.value.length <= 2);
      if (page.nextLink === undefined) break;
      const next = await app.send(page.nextLink.slice(stack.url.length + 1));
      page = next.body as typeof page;
    }
    assert.deepEqual(seen, opened);
  });

  test("takes device ids that cannot travel in a path", async () => {
    for (const device of ["a/b", ".", "..", "-", "ü?#%&+ '", "!2f", "日本"]) {
      const { sessionId } = await app.openSession(device);
      const { body } = await app.send(`api/devices/-/outcomes?deviceCorrelationId=${encodeURIComponent(device)}`);
      const [latest] = (body as { value: { sessionId: string; deviceCorrelationId: string }[] }).value;
      assert.deepEqual([latest?.sessionId, latest?.deviceCorrelationId], [sessionId, device]);
    }
  });

  test("works for the official client, with and without verify", async () => {
    const client = createFaceClient(stack.url, { key: "any key: none is configured" }, faceClientOptions);
    const device = randomUUID();
    const opened = await client.path("/detectLiveness-sessions").post({
      body: { livenessOperationMode: "PassiveActive", deviceCorrelationId: device },
    });
    assert.ok(!isUnexpected(opened), JSON.stringify(opened.body));
    await play(opened.body, { scenario: "realface" });
    const result = await client.path("/detectLiveness-sessions/{sessionId}", opened.body.sessionId).get();
    assert.ok(!isUnexpected(result));
    assert.equal(result.body.results.attempts[0]?.result?.livenessDecision, "realface");

    const verify = await client.path("/detectLivenessWithVerify-sessions").post({
      contentType: "multipart/form-data",
      body: [
        { name: "verifyImage", body: makeImage(), filename: "me.png", contentType: "image/png" },
        { name: "livenessOperationMode", body: "Passive" },
        { name: "deviceCorrelationId", body: device },
        { name: "verifyConfidenceThreshold", body: 0.8 },
        { name: "returnVerifyImageHash", body: true },
      ],
    });
    assert.ok(!isUnexpected(verify), JSON.stringify(verify.body));
    assert.ok(verify.headers["x-reference-image-id" as keyof typeof verify.headers]);
    await play(verify.body, { scenario: "realface", matchConfidence: 0.9 });
    const path = client.path("/detectLivenessWithVerify-sessions/{sessionId}", verify.body.sessionId);
    const verified = await path.get();
    assert.ok(!isUnexpected(verified));
    assert.equal(verified.body.results.attempts[0]?.result?.verifyResult?.isIdentical, true);
    const deleted = await path.delete();
    assert.equal(deleted.status, "204");
    assert.equal((await path.get()).status, "404");
    assert.deepEqual(
      (await app.outcomes(device)).value.map(({ kind, decision }) => [kind, decision]),
      [
        ["livenessWithVerify", "accepted"],
        ["liveness", "accepted"],
      ],
    );
  });
});
