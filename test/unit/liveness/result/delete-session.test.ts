import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { failAt, failOn, InjectedError, stopAt } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, trusted, type World } from "../../fakes/world.ts";

const notFound = { name: "ApiError", status: 404, code: "SessionNotFound" };
const bob: Caller = { trusted: false, owner: "bob" };

/** A session with a result that nobody has looked at. */
async function finished() {
  const world = createWorld();
  const { record } = await seedSession(world, { owner: "alice" });
  play(world.service, record.sessionId, realFace());
  return { world, sessionId: record.sessionId };
}

const remove = (world: World, sessionId: string) => deleteSession(world.start().deps, trusted, "liveness", sessionId);

function assertDeleted(world: World): void {
  const { status, final, decision, attempts } = world.record();
  assert.deepEqual(
    { status, final, decision, attempts },
    {
      ...{ status: "Canceled", final: true, decision: "accepted", attempts: 1 },
    },
  );
  assert.equal(world.tables.entries.all().length, 1);
  assert.equal(world.service.live.size, 0);
}

describe("deleting a session", () => {
  test("collects its outcome before it revokes it", async () => {
    const { world, sessionId } = await finished();
    const { calls, deps } = world.start();
    await deleteSession(deps, { trusted: false, owner: "alice" }, "liveness", sessionId);
    const order = [
      "sessionids.get",
      "sessions.get",
      "face.get",
      "sessions.transact",
      "face.revoke",
      "sessionids.merge",
    ];
    assert.deepEqual(calls.names, order);
    assertDeleted(world);
  });

  test("keeps the record of one that nobody used", async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    await remove(world, record.sessionId);
    const { status, final, decision, reasons } = world.record();
    assert.deepEqual([status, final, decision, reasons], ["Canceled", true, "inconclusive", ["SessionUnused"]]);
  });

  test("revokes nothing where the outcome could not be fetched or recorded", async () => {
    for (const name of ["face.get", "sessions.transact"]) {
      const { world, sessionId } = await finished();
      const { calls, deps } = world.start(failOn(name));
      await assert.rejects(deleteSession(deps, trusted, "liveness", sessionId), InjectedError);
      assert.equal(calls.names.includes("face.revoke"), false);
      assert.equal(world.service.live.size, 1);
    }
  });

  test("finds nothing of another kind, of another's, unknown or pruned", async () => {
    const { world, sessionId } = await finished();
    const { calls, deps } = world.start();
    await assert.rejects(deleteSession(deps, trusted, "livenessWithVerify", sessionId), notFound);
    await assert.rejects(deleteSession(deps, bob, "liveness", sessionId), notFound);
    await assert.rejects(deleteSession(deps, trusted, "liveness", "unknown"), notFound);
    await deps.removals.markPruned(sessionId, "2026-03-01T12:00:00.000Z");
    await assert.rejects(deleteSession(deps, trusted, "liveness", sessionId), notFound);
    assert.equal(
      calls.names.some((name) => name.startsWith("face.")),
      false,
    );
  });

  test("finds nothing the second time", async () => {
    const { world, sessionId } = await finished();
    await remove(world, sessionId);
    await assert.rejects(remove(world, sessionId), notFound);
    assertDeleted(world);
  });

  test("finds nothing that the service has forgotten, and keeps what was recorded", async () => {
    const { world, sessionId } = await finished();
    world.service.live.clear();
    await assert.rejects(remove(world, sessionId), notFound);
    assert.equal(world.record().decision, "inconclusive");
  });

  test("succeeds where somebody else revoked it at the same moment", async () => {
    const { world, sessionId } = await finished();
    const { deps } = world.start(({ name, when }) => {
      if (name === "face.revoke" && when === "before") world.service.live.clear();
      return undefined;
    });
    await deleteSession(deps, trusted, "liveness", sessionId);
    assertDeleted(world);
  });
});

describe("deleting a session is complete when it is repeated", () => {
  /** How many calls a deletion takes when nothing goes wrong. */
  async function callsOfOne(): Promise<number> {
    const { world, sessionId } = await finished();
    const { calls, deps } = world.start();
    await deleteSession(deps, trusted, "liveness", sessionId);
    return calls.names.length;
  }

  for (const how of ["stopped", "failed"] as const) {
    for (const when of ["before", "after"] as const) {
      test(`after it was ${how} ${when} any of its calls`, async () => {
        const count = await callsOfOne();
        for (let number = 1; number <= count; number += 1) {
          const { world, sessionId } = await finished();
          const hook = how === "stopped" ? stopAt(number, when) : failAt(number, when);
          const outcome = await world
            .start(hook)
            .attempt((deps) => deleteSession(deps, trusted, "liveness", sessionId));
          assert.ok(how === "stopped" ? "stopped" in outcome : "error" in outcome, `call ${number}`);
          const wasRevoked = world.service.live.size === 0;
          const again = await world.start().attempt((deps) => deleteSession(deps, trusted, "liveness", sessionId));
          // A repeat is told that the session is gone only where it is.
          if ("error" in again) assert.ok(wasRevoked, `call ${number}`);
          assertDeleted(world);
          assert.notEqual(world.tables.pointers.all()[0]?.value.prunedOn, undefined);
        }
      });
    }
  }
});
