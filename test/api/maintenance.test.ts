import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const hours = 3600;
const days = 24 * hours;

describe("the timer", async () => {
  const { stack, app, play, control } = await openStack({ env: { MAINTENANCE_FACE_CALLS_PER_SECOND: "1000" } });

  const advance = (advanceSeconds: number) => control("/clock", { advanceSeconds });
  const runTimer = async () => {
    const run = await stack.app.runFunction("maintainSessions");
    assert.equal(run.status, "Succeeded", run.error);
  };
  test("collects unread results, prunes after two days, purges after ninety", async () => {
    const finished = await app.openSession();
    await play(finished, { scenario: "realface" });
    const unused = await app.openSession();
    const verify = await app.openVerify(undefined, { authTokenTimeToLiveInSeconds: "86400" });
    const imageId = verify.referenceImageId;
    assert.equal((await app.send(`api/reference-images/${imageId}`)).status, 200);

    await runTimer();
    assert.equal((await app.session(finished.sessionId)).decision, undefined, "collected only after the token's end");

    await advance(600 + 121);
    await runTimer();
    const collected = await app.session(finished.sessionId);
    assert.deepEqual([collected.decision, collected.status], ["accepted", "Succeeded"]);
    const expired = await app.session(unused.sessionId);
    assert.deepEqual(
      [expired.decision, expired.status, expired.reasons],
      ["inconclusive", "Expired", ["SessionUnused"]],
    );
    assert.equal((await app.send(`face/v1.2/detectLiveness-sessions/${finished.sessionId}`)).status, 200);

    await advance(2 * days);
    await runTimer();
    assertError(await app.send(`face/v1.2/detectLiveness-sessions/${finished.sessionId}`), 404, "SessionNotFound");
    assert.equal((await app.send(`api/reference-images/${imageId}`)).status, 404);
    assert.deepEqual(await app.session(finished.sessionId), collected);
    assert.equal((await app.outcomes(finished.deviceCorrelationId)).value.length, 1);

    await advance(88 * days + 1 * hours);
    await runTimer();
    assertError(await app.send(`api/sessions/${finished.sessionId}`), 404, "SessionNotFound");
    assert.equal((await app.outcomes(finished.deviceCorrelationId)).value.length, 0);
    assert.deepEqual(await viewStorage(stack.azurite.connectionString).rows("expiry"), []);
  });

  test("a failure of some sessions fails the run, not the other sessions, and the next run retries them", async () => {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => app.openSession()));
    for (const session of sessions) await play(session, { scenario: "realface" });
    await advance(1000);
    await control("/faults", { operation: "get", status: 500, times: 20 });
    const run = await stack.app.runFunction("maintainSessions");
    assert.equal(run.status, "Failed");
    assert.match(stack.app.output(), /"event":"MaintenanceFailed"/);
    const decisions = async () =>
      (await Promise.all(sessions.map(({ sessionId }) => app.session(sessionId)))).map(({ decision }) => decision);
    assert.ok((await decisions()).includes("accepted"), "the other sessions are collected");
    await control("/faults", undefined, "DELETE");
    await advance(300);
    await runTimer();
    assert.deepEqual(await decisions(), Array(8).fill("accepted"));
  });

  test("a session that fails is retried after growing delays, and its image is removed on time", async () => {
    const tried = await stack.restartApp({ SESSION_RETENTION_HOURS: "1" });
    const { sessionId, referenceImageId: imageId } = await app.openVerify();
    await advance(1000);
    await control("/faults", { operation: "get", status: 500, rate: 1 });
    assert.equal((await tried.runFunction("maintainSessions")).status, "Failed");
    await runTimer();
    await advance(300);
    assert.equal((await tried.runFunction("maintainSessions")).status, "Failed");
    assert.match(stack.app.output(), /"event":"MaintenanceFailed".*"failures":2/);
    await advance(300);
    await runTimer();
    assert.equal((await app.session(sessionId)).final, false);

    await advance(3600 - 1600);
    assert.equal((await app.send(`api/reference-images/${imageId}`)).status, 200);
    assert.equal((await tried.runFunction("maintainSessions")).status, "Failed");
    assert.equal((await app.send(`api/reference-images/${imageId}`)).status, 404);
    await control("/faults", undefined, "DELETE");
    await advance(1 * hours);
    await runTimer();
    const closed = await app.session(sessionId);
    assert.deepEqual([closed.status, closed.final], ["Expired", true]);
  });

  test("removes orphaned images and held images past their retention", async () => {
    await stack.restartApp({ REFERENCE_IMAGE_RETENTION_DAYS: "30", SESSION_RETENTION_HOURS: "48" });
    // Storage dates uploads of the test by the machine's clock.
    await control("", undefined, "DELETE");
    const storage = viewStorage(stack.azurite.connectionString);
    await app.send("api/reference-images/alice?deviceCorrelationId=a-phone", { method: "PUT", body: makeImage() });
    await storage.images.getBlockBlobClient(`sessions/${randomUUID()}`).upload("orphan", 6);
    await storage.images.getBlockBlobClient("held-by/a-user/passport").upload("user's", 6);
    await runTimer();
    assert.equal((await storage.imageNames()).length, 3);
    await advance(2 * days + 1 * hours);
    await runTimer();
    assert.deepEqual(await storage.imageNames(), ["held-by/a-user/passport", "held/alice"]);
    await advance(28 * days);
    await runTimer();
    assert.deepEqual(await storage.imageNames(), []);
    const rows = await storage.rows("sessions");
    const ofPhone = rows.filter(({ partitionKey }) => partitionKey === "a-phone");
    assert.deepEqual(ofPhone, []);
    assert.match(stack.app.output(), /"event":"MaintenanceDone".*"imagesSwept":2/);
  });

  test("readiness is degraded, with 200, while the timer is overdue", async () => {
    const status = async () => (await app.send("api/health/ready")).body as { status: string };
    await app.openSession();
    assert.deepEqual(await status(), { status: "ready" });
    await advance(600 + 120 + 15 * 60);
    const overdue = await status();
    assert.deepEqual([overdue.status, Object.keys(overdue)], ["degraded", ["status", "degraded", "overdueSince"]]);
    await runTimer();
    await advance(10);
    assert.deepEqual(await status(), { status: "ready" });
  });
});
