import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError, control, playAttempt } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

describe("settling", async () => {
  const { stack, app } = await openStack();

  const settle = (sessionId: string, json: Record<string, unknown> = {}) =>
    app.send(`api/sessions/${sessionId}/settle`, { json });
  const digestOf = (played: { body: unknown }) => (played.body as { digest: string }).digest;

  test("answers 409 with a time to come back until an attempt has ended", async () => {
    const session = await app.openSession();
    const early = await settle(session.sessionId, { digest: "00" });
    assertError(early, 409, "SessionNotFinished");
    assert.ok(Number(early.headers.get("retry-after")) > 0);
    const digest = digestOf(await playAttempt(stack.emulator, session, { scenario: "realface" }));
    const settled = await settle(session.sessionId, { digest });
    assert.equal(settled.status, 200, JSON.stringify(settled.body));
    const { decision, reasons, final } = settled.body as Record<string, unknown>;
    assert.deepEqual({ decision, reasons, final }, { decision: "accepted", reasons: ["RealFace"], final: true });
    assert.deepEqual((await settle(session.sessionId, { digest })).body, settled.body);
    assert.deepEqual((await settle(session.sessionId)).body, settled.body);
    const silent = await app.send(`api/sessions/${session.sessionId}/settle`, { method: "POST" });
    assert.deepEqual(silent.body, settled.body);
    assert.deepEqual(await app.session(session.sessionId), settled.body);
  });

  test("rejects for good when the digest was swapped, before or after the outcome was recorded", async () => {
    for (const recordedBefore of [false, true]) {
      const session = await app.openSession();
      const played = await playAttempt(stack.emulator, session, { scenario: "realface", tamperDigest: true });
      if (recordedBefore) {
        await app.send(`face/v1.2/detectLiveness-sessions/${session.sessionId}`);
        assert.equal((await app.session(session.sessionId)).decision, "accepted");
      }
      const settled = await settle(session.sessionId, { digest: digestOf(played) });
      const expected = ["rejected", ["ClientDigestMismatch"]];
      const { decision, reasons } = settled.body as Record<string, unknown>;
      assert.deepEqual([decision, reasons], expected);
      await settle(session.sessionId);
      await app.send(`face/v1.2/detectLiveness-sessions/${session.sessionId}`);
      const stored = await app.session(session.sessionId);
      assert.deepEqual([stored.decision, stored.reasons], expected);
    }
  });

  test("takes the client's error down and counts it as no spoof", async () => {
    const session = await app.openSession();
    const settled = await settle(session.sessionId, { clientError: "CameraPermissionDenied" });
    const { decision, reasons, final } = settled.body as Record<string, unknown>;
    assert.deepEqual([decision, reasons, final], ["inconclusive", ["ClientError"], false]);
    await playAttempt(stack.emulator, session, { scenario: "realface" });
    assert.equal(((await settle(session.sessionId)).body as { decision: string }).decision, "accepted");
  });

  test("settles after the service has forgotten the session, by what was recorded", async () => {
    const session = await app.openSession();
    const digest = digestOf(await playAttempt(stack.emulator, session, { scenario: "realface" }));
    await settle(session.sessionId);
    await app.send(`face/v1.2/detectLiveness-sessions/${session.sessionId}`, { method: "DELETE" });
    const late = await settle(session.sessionId, { digest });
    assert.deepEqual((late.body as { reasons: string[] }).reasons, ["RealFace"]);
  });

  test("refuses what it does not know, and another device", async () => {
    const session = await app.openSession();
    assertError(await settle(session.sessionId, { digets: "x" }), 400, "InvalidRequestBody");
    assertError(await settle(session.sessionId, { digest: 1 }), 400, "InvalidRequestBody");
    assertError(await settle(session.sessionId, { deviceCorrelationId: "another" }), 409, "DeviceMismatch");
    assertError(await settle(randomUUID()), 404, "SessionNotFound");
    const untyped = { method: "POST", body: new TextEncoder().encode("{}") };
    assertError(await app.send(`api/sessions/${session.sessionId}/settle`, untyped), 415, "BadArgument");
  });

  test("compares the image that the service used with the one that was held", async () => {
    const id = randomUUID();
    await app.send(`api/reference-images/${id}`, { method: "PUT", body: makeImage({}, 1) });
    const path = "face/v1.2/detectLivenessWithVerify-sessions";
    const opened = await app.send(path, {
      json: { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), referenceImageId: id },
    });
    const session = opened.body as { sessionId: string; authToken: string };
    await playAttempt(stack.emulator, session, { scenario: "realface", matchConfidence: 0.99 });
    const result = await app.send(`${path}/${session.sessionId}`);
    assert.match(JSON.stringify(result.body), /verifyImageHash/, "the hash is asked for without being asked");
    assert.equal((await app.session(session.sessionId)).decision, "accepted");
  });
});

describe("the next action", async () => {
  const { stack, app } = await openStack();
  const nextOf = ({ attemptsLeft, nextAction }: Awaited<ReturnType<typeof app.session>>) => [attemptsLeft, nextAction];

  test("leads through failed attempts to a new session, and is the same in every answer", async () => {
    const session = await app.openSession();
    assert.deepEqual(nextOf(await app.session(session.sessionId)), [3, "wait"]);
    for (const expected of [
      [2, "retry"],
      [1, "retry"],
      [0, "newSession"],
    ]) {
      await playAttempt(stack.emulator, session, { scenario: "FaceWithMaskDetected" });
      const settled = await app.settle(session.sessionId);
      assert.deepEqual(nextOf(settled), expected);
      assert.deepEqual(await app.session(session.sessionId), settled);
      assert.deepEqual((await app.outcomes(session.deviceCorrelationId)).value, [settled]);
    }
    const next = await app.openSession(session.deviceCorrelationId);
    await playAttempt(stack.emulator, next, { scenario: "realface" });
    assert.deepEqual(nextOf(await app.settle(next.sessionId)), [0, "done"]);
  });

  test("after a spoof or an uncertain result is a new session, after a manipulated one nothing", async () => {
    for (const [attempt, expected] of [
      [{ scenario: "spoofface" }, "newSession"],
      [{ scenario: "uncertain" }, "newSession"],
      [{ scenario: "realface", tamperDigest: true }, "done"],
    ] as const) {
      const session = await app.openSession();
      const { body } = await playAttempt(stack.emulator, session, attempt);
      assert.deepEqual(nextOf(await app.settle(session.sessionId, body)), [0, expected]);
    }
  });

  test("after the end of the token or a deletion is a new session", async () => {
    const [deleted, unused, failed] = [await app.openSession(), await app.openSession(), await app.openSession()];
    await app.send(`face/v1.2/detectLiveness-sessions/${deleted.sessionId}`, { method: "DELETE" });
    await playAttempt(stack.emulator, failed, { scenario: "TimedOut" });
    assert.deepEqual(nextOf(await app.settle(failed.sessionId)), [2, "retry"]);
    await control(stack.emulator, "/clock", { advanceSeconds: 601 });
    assert.deepEqual(nextOf(await app.session(failed.sessionId)), [0, "newSession"]);
    assert.deepEqual(nextOf(await app.session(deleted.sessionId)), [0, "newSession"]);
    assert.deepEqual(nextOf(await app.session(unused.sessionId)), [0, "wait"]);
    await control(stack.emulator, "/clock", { advanceSeconds: 120 });
    assert.deepEqual(nextOf(await app.session(unused.sessionId)), [0, "newSession"]);
    assert.deepEqual(nextOf(await app.settle(unused.sessionId)), [0, "newSession"]);
  });
});

describe("an operator's rules", async () => {
  const { stack, app } = await openStack({
    env: {
      REQUIRE_CLIENT_DIGEST: "true",
      VERIFY_CONFIDENCE_FLOOR: "0.9",
      LOCKOUT_REJECTIONS: "2",
      LOCKOUT_SECONDS: "60",
    },
  });

  test("accepts nothing without a digest where one is required", async () => {
    const session = await app.openSession();
    const played = await playAttempt(stack.emulator, session, { scenario: "realface" });
    const path = `api/sessions/${session.sessionId}/settle`;
    const without = (await app.send(path, { json: {} })).body as Record<string, unknown>;
    assert.deepEqual([without.decision, without.reasons], ["inconclusive", ["RealFace", "ClientDigestMissing"]]);
    const settled = (await app.send(path, { json: played.body })).body as Record<string, unknown>;
    assert.equal(settled.decision, "accepted");
  });

  test("holds every session to the floor", async () => {
    const form = new FormData();
    form.set("livenessOperationMode", "Passive");
    form.set("deviceCorrelationId", randomUUID());
    form.set("verifyConfidenceThreshold", "0.2");
    form.set("verifyImage", new File([makeImage()], "me.jpg"));
    const opened = await app.send("face/v1.2/detectLivenessWithVerify-sessions", { method: "POST", body: form });
    const session = opened.body as { sessionId: string; authToken: string };
    const played = await playAttempt(stack.emulator, session, { scenario: "realface", matchConfidence: 0.8 });
    const settled = await app.send(`api/sessions/${session.sessionId}/settle`, { json: played.body });
    assert.deepEqual((settled.body as { reasons: string[] }).reasons, ["ConfidenceBelowThreshold"]);
  });

  test("locks a device out after rejections in a row, for a while or until it is lifted", async () => {
    const device = randomUUID();
    const create = { json: { livenessOperationMode: "Passive", deviceCorrelationId: device } };
    const check = async (scenario: string) => {
      const session = await app.openSession(device);
      const played = await playAttempt(stack.emulator, session, { scenario });
      await app.send(`api/sessions/${session.sessionId}/settle`, { json: played.body });
    };
    await check("spoofface");
    await check("realface");
    await check("spoofface");
    await app.openSession(device);
    await check("spoofface");
    const refused = await app.send("face/v1.2/detectLiveness-sessions", create);
    assertError(refused, 403, "DeviceLockedOut");
    assert.equal(refused.headers.get("retry-after"), null);
    assert.match(JSON.stringify(refused.body), /\d{4}-\d\d-\d\dT/);
    const lift = await app.send(`api/devices/${device}/lockout`, { method: "DELETE" });
    assert.equal(lift.status, 204);
    await check("spoofface");
    await check("spoofface");
    assertError(await app.send("face/v1.2/detectLiveness-sessions", create), 403, "DeviceLockedOut");
    await control(stack.emulator, "/clock", { advanceSeconds: 61 });
    await app.openSession(device);
  });
});
