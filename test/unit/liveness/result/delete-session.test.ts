import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { failOn, InjectedError } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { interruptionsOf } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

const notFound = { name: "ApiError", status: 404, code: "SessionNotFound" };
const bob: Caller = { trusted: false, owner: "bob" };

/** A session with a result that is not recorded. */
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

describe("deleteSession", () => {
  test("session with a result -> records the outcome before it revokes", async () => {
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

  test("unused session -> record kept as Canceled and SessionUnused", async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    await remove(world, record.sessionId);
    const { status, final, decision, reasons } = world.record();
    assert.deepEqual([status, final, decision, reasons], ["Canceled", true, "inconclusive", ["SessionUnused"]]);
  });

  test("outcome cannot be read or recorded -> not revoked", async () => {
    for (const name of ["face.get", "sessions.transact"]) {
      const { world, sessionId } = await finished();
      const { calls, deps } = world.start(failOn(name));
      await assert.rejects(deleteSession(deps, trusted, "liveness", sessionId), InjectedError);
      assert.equal(calls.names.includes("face.revoke"), false);
      assert.equal(world.service.live.size, 1);
    }
  });

  test("other kind, other owner, unknown or pruned -> SessionNotFound without a call to the service", async () => {
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

  test("repeated -> SessionNotFound, record unchanged", async () => {
    const { world, sessionId } = await finished();
    await remove(world, sessionId);
    await assert.rejects(remove(world, sessionId), notFound);
    assertDeleted(world);
  });

  test("service no longer knows the session -> SessionNotFound, outcome recorded", async () => {
    const { world, sessionId } = await finished();
    world.service.live.clear();
    await assert.rejects(remove(world, sessionId), notFound);
    assert.equal(world.record().decision, "inconclusive");
  });

  test("revoked concurrently -> succeeds", async () => {
    const { world, sessionId } = await finished();
    const { deps } = world.start(({ name, when }) => {
      if (name === "face.revoke" && when === "before") world.service.live.clear();
      return undefined;
    });
    await deleteSession(deps, trusted, "liveness", sessionId);
    assertDeleted(world);
  });
});

describe("deleteSession, interrupted and repeated", async () => {
  const arrange = async () => (await finished()).world;
  const operate = ({ deps }: Process, world: World) =>
    deleteSession(deps, trusted, "liveness", [...world.service.live.keys()][0] ?? "");

  for (const { name, hook } of await interruptionsOf(arrange, operate)) {
    test(`${name} -> completes the deletion`, async () => {
      const { world, sessionId } = await finished();
      const outcome = await world.start(hook).attempt((deps) => deleteSession(deps, trusted, "liveness", sessionId));
      assert.ok(!("value" in outcome));
      const wasRevoked = world.service.live.size === 0;
      const repeated = await world.start().attempt((deps) => deleteSession(deps, trusted, "liveness", sessionId));
      // The repetition finds no session only if the service has revoked it.
      if ("error" in repeated) assert.ok(wasRevoked);
      assertDeleted(world);
      assert.notEqual(world.tables.pointers.all()[0]?.value.prunedOn, undefined);
    });
  }
});
