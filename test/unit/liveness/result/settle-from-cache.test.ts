import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { command, createWorld, trusted } from "../../fakes/world.ts";

/** A session, and the process that has created it. */
async function arrange(asked = command()) {
  const world = createWorld();
  const creator = world.start();
  const { record } = await openSession(creator.deps, asked);
  const { sessionId } = record;
  const before = creator.calls.names.length;
  return {
    ...{ world, sessionId },
    settle: (caller = trusted) => settleSession(creator.deps, caller, sessionId, {}),
    settleElsewhere: () => settleSession(world.start().deps, trusted, sessionId, {}),
    calls: () => creator.calls.names.slice(before),
  };
}

describe("the process that has created a session", () => {
  test("settles it without reading it", async () => {
    const { world, sessionId, settle, calls } = await arrange();
    play(world.service, sessionId, realFace());
    const record = await settle();
    assert.equal(record.decision, "accepted");
    assert.deepEqual(calls(), ["face.get", "sessions.transact"]);
    assert.deepEqual(world.record(), record);
    assert.deepEqual(await settle(), record);
    assert.deepEqual(calls().slice(2), ["sessionids.get", "sessions.get", "face.get"]);
  });

  test("reads it where there is nothing to write, so that what it answers is so", async () => {
    const { settle, calls } = await arrange();
    await assert.rejects(settle(), { code: "SessionNotFinished" });
    assert.deepEqual(calls(), ["face.get", "sessions.get"]);
  });

  test("loses nothing that another has recorded meanwhile", async () => {
    const { world, sessionId, settle, settleElsewhere } = await arrange();
    play(world.service, sessionId, failedAttempt());
    await settleElsewhere();
    play(world.service, sessionId, realFace());
    const record = await settle();
    assert.deepEqual([record.decision, record.attempts], ["accepted", 2]);
    assert.equal(world.tables.entries.all().length, 2);
  });

  test("hears of it that another has deleted it", async () => {
    const { world, sessionId, settle } = await arrange();
    play(world.service, sessionId, realFace());
    await deleteSession(world.start().deps, trusted, "liveness", sessionId);
    const { status, decision } = await settle();
    assert.deepEqual([status, decision], ["Canceled", "accepted"]);
  });

  test("hears of it that another has erased it", async () => {
    for (const uses of [true, false]) {
      const { world, sessionId, settle } = await arrange();
      if (uses) play(world.service, sessionId, realFace());
      await eraseDevice(world.start().deps, "a-device");
      await assert.rejects(settle(), { code: "SessionNotFound" });
      assert.deepEqual(world.everything(), createWorld().everything());
    }
  });

  test("shows it to nobody else", async () => {
    const alice = { trusted: false, owner: "alice" };
    const { settle } = await arrange(command({ caller: alice }));
    await assert.rejects(settle({ trusted: false, owner: "bob" }), { code: "SessionNotFound" });
  });
});
