import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { assertError, control, createAppClient, playAttempt } from "./support/app-client.ts";
import { viewStorage } from "./support/storage-view.ts";

const hours = 3600;
const days = 24 * hours;

describe("the timer", () => {
  let stack: Stack;
  let app: ReturnType<typeof createAppClient>;
  before(async () => {
    stack = await startStack();
    app = createAppClient(stack.url);
  });
  after(() => stack.stop());

  const advance = (advanceSeconds: number) => control(stack.emulator, "/clock", { advanceSeconds });
  const runTimer = async () => {
    const run = await stack.app.runFunction("maintainSessions");
    assert.equal(run.status, "Succeeded", run.error);
  };
  it("collects what nobody asked for, prunes after two days, purges after ninety", async () => {
    const finished = await app.openSession();
    await playAttempt(stack.emulator, finished, { scenario: "realface" });
    const unused = await app.openSession();
    const form = new FormData();
    form.set("livenessOperationMode", "Passive");
    form.set("deviceCorrelationId", randomUUID());
    form.set("authTokenTimeToLiveInSeconds", "86400");
    form.set("verifyImage", new File([makeImage()], "me.png"));
    const verify = await app.send("face/v1.2/detectLivenessWithVerify-sessions", { method: "POST", body: form });
    const imageId = verify.headers.get("x-reference-image-id");
    assert.equal((await app.send(`api/reference-images/${imageId}`)).status, 200);

    await runTimer();
    assert.equal((await app.session(finished.sessionId)).decision, undefined, "before its time nothing is collected");

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

  it("goes on where one session fails, fails as a whole, and mends it the next time", async () => {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => app.openSession()));
    for (const session of sessions) await playAttempt(stack.emulator, session, { scenario: "realface" });
    await advance(1000);
    await control(stack.emulator, "/faults", { operation: "get", status: 500, times: 9 });
    const run = await stack.app.runFunction("maintainSessions");
    assert.equal(run.status, "Failed");
    assert.match(stack.app.output(), /"event":"MaintenanceFailed"/);
    const decisions = async () =>
      (await Promise.all(sessions.map(({ sessionId }) => app.session(sessionId)))).map(({ decision }) => decision);
    assert.ok((await decisions()).includes("accepted"), "others were collected all the same");
    await control(stack.emulator, "/faults", undefined, "DELETE");
    await runTimer();
    assert.deepEqual(await decisions(), Array(8).fill("accepted"));
  });
});
