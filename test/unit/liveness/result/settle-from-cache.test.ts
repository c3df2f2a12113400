import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { assertNothingStored, command, createWorld, trusted } from "../../fakes/world.ts";

/** A session, and the process that created it. */
async function arrange(creation = command()) {
  const world = createWorld();
  const creator = world.start();
  const { record } = await openSession(creator.deps, creation);
  const { sessionId } = record;
  const before = creator.calls.names.length;
  return {
    ...{ world, sessionId },
    settle: (caller = trusted) => settleSession(creator.deps, caller, sessionId, {}),
    settleElsewhere: () => settleSession(world.start().deps, trusted, sessionId, {}),
    calls: () => creator.calls.names.slice(before),
  };
}

describe("settleSession in the process that created the session", () => {
  test("session with a result -> settled without reading the record", async () => {
    const { world, sessionId, settle, calls } = await arrange();
    play(world.service, sessionId, realFace());
    const record = await settle();
    assert.equal(record.decision, "accepted");
    assert.deepEqual(calls(), ["face.get", "expiry.put", "sessions.transact"]);
    assert.deepEqual(world.record(), record);
    assert.deepEqual(await settle(), record);
    assert.deepEqual(calls().slice(3), ["sessionids.get", "sessions.get", "face.get"]);
  });

  test("no result -> reads the record before it answers SessionNotFinished", async () => {
    const { settle, calls } = await arrange();
    await assert.rejects(settle(), { code: "SessionNotFinished" });
    assert.deepEqual(calls(), ["face.get", "sessions.get"]);
  });

  test("another process recorded an attempt -> both attempts are recorded", async () => {
    const { world, sessionId, settle, settleElsewhere } = await arrange();
    play(world.service, sessionId, failedAttempt());
    await settleElsewhere();
    play(world.service, sessionId, realFace());
    const record = await settle();
    assert.deepEqual([record.decision, record.attempts], ["accepted", 2]);
    assert.equal(world.tables.entries.all().length, 2);
  });

  test("another process deleted the session -> Canceled", async () => {
    const { world, sessionId, settle } = await arrange();
    play(world.service, sessionId, realFace());
    await deleteSession(world.start().deps, trusted, "liveness", sessionId);
    const { status, decision } = await settle();
    assert.deepEqual([status, decision], ["Canceled", "accepted"]);
  });

  test("another process erased the device -> SessionNotFound, no rows", async () => {
    for (const uses of [true, false]) {
      const { world, sessionId, settle } = await arrange();
      if (uses) play(world.service, sessionId, realFace());
      await eraseDevice(world.start().deps, "a-device");
      await assert.rejects(settle(), { code: "SessionNotFound" });
      assertNothingStored(world);
    }
  });

  test("another user -> SessionNotFound", async () => {
    const alice = { trusted: false, owner: "alice" };
    const { settle } = await arrange(command({ caller: alice }));
    await assert.rejects(settle({ trusted: false, owner: "bob" }), { code: "SessionNotFound" });
  });
});
