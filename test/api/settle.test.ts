import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import {
  assertError,
  createAppClient,
  creation,
  digestOf,
  sessionsPath,
  verifySessionsPath,
} from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const { stack, app, play, control } = await openStack();

describe("settling", () => {
  const settle = (sessionId: string, json: Record<string, unknown> = {}) =>
    app.send(`api/sessions/${sessionId}/settle`, { json });

  test("409 with Retry-After until an attempt has ended", async () => {
    const session = await app.openSession();
    const early = await settle(session.sessionId, { digest: "00" });
    assertError(early, 409, "SessionNotFinished");
    assert.ok(Number(early.headers.get("retry-after")) > 0);
    const digest = digestOf(await play(session, { scenario: "realface" }));
    const settled = await app.settle(session.sessionId, { digest });
    assert.deepEqual([settled.decision, settled.reasons, settled.final], ["accepted", ["RealFace"], true]);
    assert.deepEqual(await app.settle(session.sessionId, { digest }), settled);
    assert.deepEqual(await app.settle(session.sessionId), settled);
    const silent = await app.send(`api/sessions/${session.sessionId}/settle`, { method: "POST" });
    assert.deepEqual(silent.body, settled);
    assert.deepEqual(await app.session(session.sessionId), settled);
  });

  test("rejects for good when the digest was swapped, before or after the outcome was recorded", async () => {
    for (const recordedBefore of [false, true]) {
      const session = await app.openSession();
      const played = await play(session, { scenario: "realface", tamperDigest: true });
      if (recordedBefore) {
        await app.send(`${sessionsPath}/${session.sessionId}`);
        assert.equal((await app.session(session.sessionId)).decision, "accepted");
      }
      const expected = ["rejected", ["ClientDigestMismatch"]];
      const { decision, reasons } = await app.settle(session.sessionId, { digest: digestOf(played) });
      assert.deepEqual([decision, reasons], expected);
      await settle(session.sessionId);
      await app.send(`${sessionsPath}/${session.sessionId}`);
      const stored = await app.session(session.sessionId);
      assert.deepEqual([stored.decision, stored.reasons], expected);
    }
  });

  test("records the client's error and does not count it as a rejection", async () => {
    const session = await app.openSession();
    const { decision, reasons, final } = await app.settle(session.sessionId, { clientError: "CameraPermissionDenied" });
    assert.deepEqual([decision, reasons, final], ["inconclusive", ["ClientError"], false]);
    await play(session, { scenario: "realface" });
    assert.equal((await app.settle(session.sessionId)).decision, "accepted");
  });

  for (const isRead of [false, true]) {
    test(`settles from the stored outcome after the session is deleted, ${isRead ? "" : "un"}read until then`, async () => {
      const session = await app.openSession();
      const digest = digestOf(await play(session, { scenario: "realface" }));
      if (isRead) await settle(session.sessionId);
      await app.send(`${sessionsPath}/${session.sessionId}`, { method: "DELETE" });
      const { status, decision } = await app.session(session.sessionId);
      assert.deepEqual([status, decision], ["Canceled", "accepted"]);
      assert.deepEqual((await app.settle(session.sessionId, { digest })).reasons, ["RealFace"]);
    });
  }

  test("refuses unknown fields, invalid values and another device", async () => {
    const session = await app.openSession();
    assertError(await settle(session.sessionId, { digets: "x" }), 400, "InvalidRequestBody");
    assertError(await settle(session.sessionId, { digest: 1 }), 400, "InvalidRequestBody");
    assertError(await settle(session.sessionId, { deviceCorrelationId: "another" }), 409, "DeviceMismatch");
    assertError(await settle(randomUUID()), 404, "SessionNotFound");
    const untyped = { method: "POST", body: new TextEncoder().encode("{}") };
    assertError(await app.send(`api/sessions/${session.sessionId}/settle`, untyped), 415, "BadArgument");
  });

  test("compares the hash of the image that the service used with the stored one", async () => {
    const id = randomUUID();
    await app.send(`api/reference-images/${id}`, { method: "PUT", body: makeImage({}, 1) });
    const opened = await app.send(verifySessionsPath, creation(randomUUID(), { referenceImageId: id }));
    const session = opened.body as { sessionId: string; authToken: string };
    await play(session, { scenario: "realface", matchConfidence: 0.99 });
    const result = await app.send(`${verifySessionsPath}/${session.sessionId}`);
    assert.match(JSON.stringify(result.body), /verifyImageHash/, "the hash is asked for without being asked");
    assert.equal((await app.session(session.sessionId)).decision, "accepted");
  });
});

describe("the next action", () => {
  const nextOf = ({ attemptsLeft, nextAction }: Awaited<ReturnType<typeof app.session>>) => [attemptsLeft, nextAction];

  test("leads through failed attempts to a new session, and is the same in every answer", async () => {
    const session = await app.openSession();
    assert.deepEqual(nextOf(await app.session(session.sessionId)), [3, "wait"]);
    for (const expected of [
      [2, "retry"],
      [1, "retry"],
      [0, "newSession"],
    ]) {
      await play(session, { scenario: "FaceWithMaskDetected" });
      const settled = await app.settle(session.sessionId);
      assert.deepEqual(nextOf(settled), expected);
      assert.deepEqual(
        [settled.attempts, settled.final],
        [3 - Number(settled.attemptsLeft), settled.attemptsLeft === 0],
      );
      assert.deepEqual(await app.session(session.sessionId), settled);
      assert.deepEqual((await app.outcomes(session.deviceCorrelationId)).value, [settled]);
    }
    const next = await app.openSession(session.deviceCorrelationId);
    await play(next, { scenario: "realface" });
    assert.deepEqual(nextOf(await app.settle(next.sessionId)), [0, "done"]);
  });

  test("after a spoof or an uncertain result is a new session, after a manipulated one nothing", async () => {
    for (const [attempt, decision, nextAction] of [
      [{ scenario: "spoofface" }, "rejected", "newSession"],
      [{ scenario: "uncertain" }, "inconclusive", "newSession"],
      [{ scenario: "realface", tamperDigest: true }, "rejected", "done"],
    ] as const) {
      const session = await app.openSession();
      const { body } = await play(session, attempt);
      const settled = await app.settle(session.sessionId, body);
      assert.deepEqual([settled.decision, ...nextOf(settled)], [decision, 0, nextAction]);
    }
  });

  test("after the end of the token or a deletion is a new session", async () => {
    const [deleted, unused, failed] = [await app.openSession(), await app.openSession(), await app.openSession()];
    await app.send(`${sessionsPath}/${deleted.sessionId}`, { method: "DELETE" });
    const { status, final, decision } = await app.session(deleted.sessionId);
    assert.deepEqual([status, final, decision], ["Canceled", true, "inconclusive"]);
    await play(failed, { scenario: "TimedOut" });
    assert.deepEqual(nextOf(await app.settle(failed.sessionId)), [2, "retry"]);
    await control("/clock", { advanceSeconds: 601 });
    assert.deepEqual(nextOf(await app.session(failed.sessionId)), [0, "newSession"]);
    assert.deepEqual(nextOf(await app.session(deleted.sessionId)), [0, "newSession"]);
    assert.deepEqual(nextOf(await app.session(unused.sessionId)), [0, "wait"]);
    await control("/clock", { advanceSeconds: 120 });
    assert.deepEqual(nextOf(await app.session(unused.sessionId)), [0, "newSession"]);
    assert.deepEqual(nextOf(await app.settle(unused.sessionId)), [0, "newSession"]);
  });
});

describe("an operator's rules", async () => {
  const host = await stack.startAnotherApp({
    REQUIRE_CLIENT_DIGEST: "true",
    VERIFY_CONFIDENCE_FLOOR: "0.9",
    LOCKOUT_REJECTIONS: "2",
    LOCKOUT_SECONDS: "60",
  });
  const app = createAppClient(host.url);

  test("no session is accepted without a digest where one is required", async () => {
    const session = await app.openSession();
    const played = await play(session, { scenario: "realface" });
    const without = await app.settle(session.sessionId);
    assert.deepEqual([without.decision, without.reasons], ["inconclusive", ["RealFace", "ClientDigestMissing"]]);
    assert.equal((await app.settle(session.sessionId, played.body)).decision, "accepted");
  });

  test("the confidence floor applies to every session", async () => {
    const session = await app.openVerify(randomUUID(), { verifyConfidenceThreshold: "0.2" });
    const played = await play(session, { scenario: "realface", matchConfidence: 0.8 });
    assert.deepEqual((await app.settle(session.sessionId, played.body)).reasons, ["ConfidenceBelowThreshold"]);
  });

  test("rejections in a row lock a device out, until the lockout ends or is lifted", async () => {
    const device = randomUUID();
    const check = async (scenario: string) => {
      const session = await app.openSession(device);
      const played = await play(session, { scenario });
      await app.settle(session.sessionId, played.body);
    };
    await check("spoofface");
    await check("realface");
    await check("spoofface");
    await app.openSession(device);
    await check("spoofface");
    const refused = await app.send(sessionsPath, creation(device));
    assertError(refused, 403, "DeviceLockedOut");
    assert.equal(refused.headers.get("retry-after"), null);
    assert.match(JSON.stringify(refused.body), /\d{4}-\d\d-\d\dT/);
    const lift = await app.send(`api/devices/${device}/lockout`, { method: "DELETE" });
    assert.equal(lift.status, 204);
    await check("spoofface");
    await check("spoofface");
    assertError(await app.send(sessionsPath, creation(device)), 403, "DeviceLockedOut");
    await control("/clock", { advanceSeconds: 61 });
    await app.openSession(device);
  });
});
