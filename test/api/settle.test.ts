import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { assertError, control, creation, digestOf, errorOf, playAttempt, sessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

describe("settling", async () => {
  const { stack, app } = await openStack();

  test("409 with Retry-After until an attempt has ended, then the outcome, also when repeated", async () => {
    const session = await app.openSession();
    const path = `api/sessions/${session.sessionId}/settle`;
    const early = await app.send(path, { json: { digest: "00" } });
    assertError(early, 409, "SessionNotFinished");
    assert.ok(Number(early.headers.get("retry-after")) > 0);
    const digest = digestOf(await playAttempt(stack.emulator, session, { scenario: "realface" }));
    const settled = await app.settle(session.sessionId, { digest });
    assert.partialDeepStrictEqual(settled, { decision: "accepted", reasons: ["RealFace"], final: true });
    for (const json of [{ digest }, {}]) assert.deepEqual(await app.settle(session.sessionId, json), settled);
    assert.deepEqual((await app.send(path, { method: "POST" })).body, settled);
    assert.deepEqual(await app.session(session.sessionId), settled);
    await app.send(`${sessionsPath}/${session.sessionId}`, { method: "DELETE" });
    assert.deepEqual((await app.settle(session.sessionId, { digest })).reasons, ["RealFace"]);
  });

  test("a digest mismatch rejects for good, before and after the outcome was recorded", async () => {
    for (const recordedBefore of [false, true]) {
      const session = await app.openSession();
      const played = await playAttempt(stack.emulator, session, { scenario: "realface", tamperDigest: true });
      if (recordedBefore) {
        await app.send(`${sessionsPath}/${session.sessionId}`);
        assert.equal((await app.session(session.sessionId)).decision, "accepted");
      }
      const expected = { decision: "rejected", reasons: ["ClientDigestMismatch"] };
      const settled = await app.settle(session.sessionId, { digest: digestOf(played) });
      assert.partialDeepStrictEqual(settled, expected);
      await app.settle(session.sessionId);
      await app.send(`${sessionsPath}/${session.sessionId}`);
      assert.partialDeepStrictEqual(await app.session(session.sessionId), expected);
    }
  });
});

describe("decision settings", async () => {
  const { stack, app } = await openStack({
    env: {
      REQUIRE_CLIENT_DIGEST: "true",
      VERIFY_CONFIDENCE_FLOOR: "0.9",
      LOCKOUT_REJECTIONS: "2",
      LOCKOUT_SECONDS: "60",
    },
  });

  test("REQUIRE_CLIENT_DIGEST: no acceptance without a digest", async () => {
    const session = await app.openSession();
    const { body } = await playAttempt(stack.emulator, session, { scenario: "realface" });
    const { decision, reasons } = await app.settle(session.sessionId);
    assert.deepEqual([decision, reasons], ["inconclusive", ["RealFace", "ClientDigestMissing"]]);
    assert.equal((await app.settle(session.sessionId, body)).decision, "accepted");
  });

  test("VERIFY_CONFIDENCE_FLOOR overrides a lower threshold of the session", async () => {
    const session = await app.openVerify(undefined, { verifyConfidenceThreshold: "0.2" });
    const played = await playAttempt(stack.emulator, session, { scenario: "realface", matchConfidence: 0.8 });
    assert.deepEqual((await app.settle(session.sessionId, played.body)).reasons, ["ConfidenceBelowThreshold"]);
  });

  test("LOCKOUT_REJECTIONS locks a device out after rejections in a row, until the time is over or a service lifts it", async () => {
    const device = randomUUID();
    const check = async (scenario: string) => {
      const session = await app.openSession(device);
      const played = await playAttempt(stack.emulator, session, { scenario });
      await app.settle(session.sessionId, played.body);
    };
    for (const scenario of ["spoofface", "realface", "spoofface"]) await check(scenario);
    await app.openSession(device);
    await check("spoofface");
    const refused = await app.send(sessionsPath, creation(device));
    assertError(refused, 403, "DeviceLockedOut");
    assert.equal(refused.headers.get("retry-after"), null);
    assert.match(errorOf(refused).message, /\d{4}-\d\d-\d\dT/);
    const lift = await app.send(`api/devices/${device}/lockout`, { method: "DELETE" });
    assert.equal(lift.status, 204);
    for (const scenario of ["spoofface", "spoofface"]) await check(scenario);
    assertError(await app.send(sessionsPath, creation(device)), 403, "DeviceLockedOut");
    await control(stack.emulator, "/clock", { advanceSeconds: 61 });
    await app.openSession(device);
  });
});
