import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { findSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { failOn } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, trusted } from "../../fakes/world.ts";

const notFound = {
  name: "ApiError",
  status: 404,
  code: "SessionNotFound",
  message: "Session Id is not found. The session id is expired or does not exist.",
};

const alice: Caller = { trusted: false, owner: "alice" };
const bob: Caller = { trusted: false, owner: "bob" };
const nobody: Caller = { trusted: false };

describe("finding a session", () => {
  test("is for trusted services and for its owner", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { owner: "alice" });
    const { deps } = world.start();
    for (const caller of [trusted, alice]) {
      assert.deepEqual((await findSession(deps, caller, record.sessionId)).record, record);
    }
    for (const caller of [bob, nobody]) await assert.rejects(findSession(deps, caller, record.sessionId), notFound);
  });

  test("is for trusted services alone where nobody owns it", async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    const { deps } = world.start();
    assert.equal((await findSession(deps, trusted, record.sessionId)).record.sessionId, record.sessionId);
    for (const caller of [alice, nobody]) await assert.rejects(findSession(deps, caller, record.sessionId), notFound);
  });

  test("says the same of what is not there", async () => {
    const { deps } = createWorld().start();
    await assert.rejects(findSession(deps, trusted, "5e551011-0000-4000-8000-999999999999"), notFound);
  });

  test("does not ask the store for what can be no session's id", async () => {
    const { calls, deps } = createWorld().start();
    for (const id of ["", "a/b", "a'b", "a b", "..", "a".repeat(65), "ä", "a\n"]) {
      await assert.rejects(findSession(deps, trusted, id), notFound, id);
    }
    assert.deepEqual(calls.names, []);
  });
});

describe("watching a session", () => {
  test("tells what the service tells, and what only the store knows", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { ttlSeconds: 60 });
    world.advance({ seconds: 59 });
    const { calls, deps } = world.start();
    assert.deepEqual(await getSession(deps, trusted, "liveness", record.sessionId), {
      record,
      requestId: "request-of-get",
      state: {
        sessionId: record.sessionId,
        status: "NotStarted",
        attempts: [],
        createdDateTime: "2026-03-01T12:00:00.000Z",
        sessionExpired: false,
        authTokenTimeToLiveInSeconds: 60,
        deviceCorrelationId: "a-device",
      },
    });
    assert.deepEqual(calls.names, ["sessionids.get", "sessions.get", "face.get"]);
    world.advance({ seconds: 1 });
    assert.equal((await getSession(deps, trusted, "liveness", record.sessionId)).state.sessionExpired, true);
  });

  test("prefers what the service tells itself, but for the time of creation, which the list has from the store", async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    const told = {
      createdDateTime: "2026-03-01T12:00:01Z",
      sessionStartDateTime: "2026-03-01T12:00:02Z",
      sessionExpired: true,
      deviceCorrelationId: "a-device",
    };
    Object.assign(world.service.live.get(record.sessionId)?.state ?? {}, told);
    const { state } = await getSession(world.start().deps, trusted, "liveness", record.sessionId);
    assert.deepEqual({ ...state, ...told, createdDateTime: record.createdOn }, state);
  });

  test("records the outcome, and when the session was first seen to run, as the previews list it", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { apiVersion: "v1.2-preview.1" });
    world.advance({ seconds: 30 });
    play(world.service, record.sessionId, realFace());
    const watched = await getSession(world.start().deps, trusted, "liveness", record.sessionId);
    assert.equal(watched.state.sessionStartDateTime, "2026-03-01T12:00:30.000Z");
    assert.equal(watched.record.decision, "accepted");
    assert.deepEqual(watched.record, world.record());
    const [pointer] = world.tables.pointers.all();
    assert.equal(pointer?.value.startedOn, "2026-03-01T12:00:30.000Z");
  });

  test("passes on what the service has to say", async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    const busy = new ApiError(429, "429", "Rate limit is exceeded.", { retryAfter: "2" });
    const { deps } = world.start(({ name }) => (name === "face.get" ? busy : undefined));
    await assert.rejects(getSession(deps, trusted, "liveness", record.sessionId), busy);
  });

  test("finds nothing of another kind, of another's, deleted or pruned, and does not ask the service", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { owner: "alice" });
    const { sessionId } = record;
    const { calls, deps } = world.start(failOn("face.get"));
    await assert.rejects(getSession(deps, trusted, "livenessWithVerify", sessionId), notFound);
    await assert.rejects(getSession(deps, bob, "liveness", sessionId), notFound);
    await assert.rejects(getSession(deps, trusted, "liveness", "unknown"), notFound);
    await deps.removals.markPruned(sessionId, "2026-03-01T12:00:00.000Z");
    await assert.rejects(getSession(deps, alice, "liveness", sessionId), notFound);
    const canceled = await seedSession(world, { status: "Canceled", revokedOn: "2026-03-01T12:00:00.000Z" });
    await assert.rejects(getSession(deps, trusted, "liveness", canceled.record.sessionId), notFound);
    assert.equal(calls.names.includes("face.get"), false);
  });

  test("finds nothing that the service has forgotten, and records that", async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    world.service.live.clear();
    await assert.rejects(getSession(world.start().deps, trusted, "liveness", record.sessionId), notFound);
    assert.deepEqual([world.record().status, world.record().decision], ["Expired", "inconclusive"]);
  });

  test("finds nothing once the service's 48 hours are over", async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    play(world.service, record.sessionId, realFace());
    await getSession(world.start().deps, trusted, "liveness", record.sessionId);
    world.advance({ hours: 48 });
    const { calls, deps } = world.start();
    await assert.rejects(getSession(deps, trusted, "liveness", record.sessionId), notFound);
    assert.equal(calls.names.includes("face.get"), false);
    assert.equal(world.record().decision, "accepted");
  });
});
