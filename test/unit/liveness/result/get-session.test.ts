import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import type { SessionKind } from "../../../../src/face/model.ts";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { deleteSession, findSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { failOn, InjectedError } from "../../fakes/calls.ts";
import { realFace } from "../../fakes/face-service.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { createWorld, trusted, type World } from "../../fakes/world.ts";

const notFound = {
  ...{ name: "ApiError", status: 404, code: "SessionNotFound" },
  message: "Session Id is not found. The session id is expired or does not exist.",
};
const alice: Caller = { trusted: false, owner: "alice" };
const bob: Caller = { trusted: false, owner: "bob" };
const anonymous: Caller = { trusted: false };

const get = (world: World, sessionId: string) => getSession(world.start().deps, trusted, "liveness", sessionId);
const remove = (world: World, sessionId: string) => deleteSession(world.start().deps, trusted, "liveness", sessionId);
const callsService = (names: readonly string[]) => names.some((name) => name.startsWith("face."));

describe("findSession", () => {
  test("session with or without an owner -> found by trusted services and the owner only", async () => {
    for (const [owner, seeing, others] of [
      ["alice", [trusted, alice], [bob, anonymous]],
      [undefined, [trusted], [alice, anonymous]],
    ] as const) {
      const { world, record } = await seedWorld(owner === undefined ? {} : { owner });
      const { deps } = world.start();
      for (const caller of seeing) assert.deepEqual((await findSession(deps, caller, record.sessionId)).record, record);
      for (const caller of others) await assert.rejects(findSession(deps, caller, record.sessionId), notFound);
    }
  });

  test("unknown id -> the same error, and for a malformed one without a request to the store", async () => {
    const { calls, deps } = createWorld().start();
    for (const id of ["", "a/b", "a'b", "a b", "..", "a".repeat(65), "ä", "a\n"]) {
      await assert.rejects(findSession(deps, trusted, id), notFound, id);
    }
    assert.deepEqual(calls.names, []);
    await assert.rejects(findSession(deps, trusted, "5e551011-0000-4000-8000-999999999999"), notFound);
  });
});

for (const [name, operate] of Object.entries({ getSession, deleteSession })) {
  test(`${name} of another kind or owner, unknown or pruned -> SessionNotFound without a call to the service`, async () => {
    const { world, sessionId } = await seedWorld({ owner: "alice" });
    const { calls, deps } = world.start();
    const assertMissing = async (caller: Caller, kind: SessionKind, id: string) =>
      assert.rejects(operate(deps, caller, kind, id), notFound);
    await assertMissing(trusted, "livenessWithVerify", sessionId);
    await assertMissing(bob, "liveness", sessionId);
    await assertMissing(trusted, "liveness", "unknown");
    await deps.removals.hide(sessionId, "2026-03-01T12:00:00.000Z");
    await assertMissing(alice, "liveness", sessionId);
    assert.equal(callsService(calls.names), false);
  });

  test(`${name} of a session past its retention, before any run of the timer -> SessionNotFound, record kept`, async () => {
    for (const sessionHours of [1, 48]) {
      const { world, sessionId } = await seedWorld({}, realFace());
      await get(world, sessionId);
      const before = world.everything();
      const { calls, deps } = world.start();
      world.advance({ hours: sessionHours });
      const limited = { ...deps, retention: { ...deps.retention, sessionHours } };
      await assert.rejects(operate(limited, trusted, "liveness", sessionId), notFound);
      assert.equal(callsService(calls.names), false);
      assert.deepEqual(world.everything(), before);
      if (sessionHours < 48) await operate(deps, trusted, "liveness", sessionId);
    }
  });
}

describe("getSession", () => {
  test("session at the service -> its state with the fields that only the store has", async () => {
    const { world, record } = await seedWorld({ ttlSeconds: 60 });
    world.advance({ seconds: 59 });
    const { calls, deps } = world.start();
    assert.deepEqual(await getSession(deps, trusted, "liveness", record.sessionId), {
      record,
      requestId: "request-of-get",
      state: {
        ...{ sessionId: record.sessionId, status: "NotStarted", attempts: [] },
        ...{ createdDateTime: "2026-03-01T12:00:00.000Z", sessionExpired: false },
        ...{ authTokenTimeToLiveInSeconds: 60, deviceCorrelationId: "a-device" },
      },
    });
    assert.deepEqual(calls.names, ["sessionids.get", "sessions.get", "face.get"]);
    world.advance({ seconds: 1 });
    assert.equal((await get(world, record.sessionId)).state.sessionExpired, true);
  });

  test("field known to both -> the value of the service, except createdDateTime, which equals that of the list", async () => {
    const { world, record } = await seedWorld();
    const returned = {
      ...{ createdDateTime: "2026-03-01T12:00:01Z", sessionStartDateTime: "2026-03-01T12:00:02Z" },
      ...{ sessionExpired: true, deviceCorrelationId: "a-device" },
    };
    Object.assign(world.service.live.get(record.sessionId)?.state ?? {}, returned);
    const { state } = await get(world, record.sessionId);
    assert.deepEqual({ ...state, ...returned, createdDateTime: record.createdOn }, state);
  });

  test("preview session with a result -> records outcome and start time, also in the pointer", async () => {
    const { world, sessionId } = await seedWorld({ apiVersion: "v1.2-preview.1" }, realFace());
    world.advance({ seconds: 30 });
    const watched = await get(world, sessionId);
    assert.equal(watched.state.sessionStartDateTime, "2026-03-01T12:00:30.000Z");
    assert.equal(watched.record.decision, "accepted");
    assert.deepEqual(watched.record, world.record());
    assert.equal(world.tables.pointers.all()[0]?.value.startedOn, "2026-03-01T12:00:30.000Z");
  });

  test("service refuses -> throws its error", async () => {
    const { world, sessionId } = await seedWorld();
    const busy = new ApiError(429, "429", "Rate limit is exceeded.", { retryAfter: "2" });
    const { deps } = world.start(({ name }) => (name === "face.get" ? busy : undefined));
    await assert.rejects(getSession(deps, trusted, "liveness", sessionId), busy);
  });

  test("service no longer knows the session -> SessionNotFound, recorded as Expired", async () => {
    const { world, sessionId } = await seedWorld();
    world.service.live.clear();
    await assert.rejects(get(world, sessionId), notFound);
    assert.deepEqual([world.record().status, world.record().decision], ["Expired", "inconclusive"]);
  });

  test("deleted -> SessionNotFound without a call to the service", async () => {
    const { world, sessionId } = await seedWorld({ status: "Canceled", revokedOn: "2026-03-01T12:00:00.000Z" });
    const { calls, deps } = world.start();
    await assert.rejects(getSession(deps, trusted, "liveness", sessionId), notFound);
    assert.equal(callsService(calls.names), false);
  });
});

describe("deleteSession", () => {
  /** A session with a result that is not recorded. */
  const finished = () => seedWorld({ owner: "alice" }, realFace());

  function assertDeleted(world: World): void {
    const { status, final, decision, attempts } = world.record();
    assert.deepEqual([status, final, decision, attempts], ["Canceled", true, "accepted", 1]);
    assert.equal(world.tables.entries.all().length, 1);
    assert.equal(world.service.live.size, 0);
  }

  test("session with a result -> records the outcome before it revokes", async () => {
    const { world, sessionId } = await finished();
    const { calls, deps } = world.start();
    await deleteSession(deps, alice, "liveness", sessionId);
    const order = ["face.get", "expiry.put", "sessions.transact", "face.revoke", "sessionids.merge"];
    assert.deepEqual(calls.names, ["sessionids.get", "sessions.get", ...order]);
    assertDeleted(world);
  });

  test("unused session -> record kept as Canceled and SessionUnused", async () => {
    const { world, sessionId } = await seedWorld();
    await remove(world, sessionId);
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
