import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StoredSession } from "../../../../src/liveness/model/session.ts";
import { recordResult } from "../../../../src/liveness/result/record-result.ts";
import { locationOf } from "../../../../src/storage/rows/references.ts";
import type { Hook } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type World } from "../../fakes/world.ts";

const entriesOf = (world: World) =>
  world.tables.entries.all().map(({ value: { entryId, sessionId, receivedOn, entry } }) => ({
    ...{ entryId, sessionId, receivedOn },
    outcome: entry.error?.code ?? entry.result?.livenessDecision,
  }));

/** Runs `act` just before the first call of that name. */
function beforeFirst(name: string, act: () => void): Hook {
  let isDone = false;
  return (moment) => {
    if (moment.name === name && moment.when === "before" && !isDone) {
      isDone = true;
      act();
    }
    return undefined;
  };
}

/** Another process changes the record with one write. */
function recordElsewhere(world: World, stored: StoredSession, change: object): void {
  const { partition, row } = locationOf(stored);
  const current = world.tables.records.get(partition, row)?.value ?? assert.fail();
  world.tables.records.put(partition, row, { ...current, ...change });
}

describe("recordResult", () => {
  test("session with two attempts -> outcome and audit entries in one transaction", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    play(world.service, stored.record.sessionId, failedAttempt("FaceTrackingFailed"));
    play(world.service, stored.record.sessionId, realFace());
    const { calls, deps } = world.start();
    const recorded = await recordResult(deps, stored);
    assert.deepEqual(calls.names, ["face.get", "sessions.transact"]);
    assert.deepEqual(recorded.stored.record, world.record());
    assert.equal(recorded.requestId, "request-of-get");
    assert.equal(recorded.state?.attempts.length, 2);
    const { attempts, decision, final } = world.record();
    assert.deepEqual({ attempts, decision, final }, { attempts: 2, decision: "accepted", final: true });
    const common = { sessionId: stored.record.sessionId, receivedOn: new Date(world.now()).toISOString() };
    assert.deepEqual(entriesOf(world), [
      { ...common, entryId: "1", outcome: "FaceTrackingFailed" },
      { ...common, entryId: "2", outcome: "realface" },
    ]);
  });

  test("nothing new -> no write", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    const first = world.start();
    assert.deepEqual(await recordResult(first.deps, stored), {
      stored,
      state: { sessionId: stored.record.sessionId, status: "NotStarted", attempts: [] },
      requestId: "request-of-get",
    });
    assert.deepEqual(first.calls.names, ["face.get"]);
    play(world.service, stored.record.sessionId, realFace());
    const recorded = await recordResult(world.start().deps, stored);
    const before = world.everything();
    world.advance({ minutes: 5 });
    const again = world.start();
    await recordResult(again.deps, recorded.stored);
    assert.deepEqual(again.calls.names, ["face.get"]);
    assert.deepEqual(world.everything(), before);
  });

  test("service returns id and time of the audit entry -> stored with the entry", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    const audit = { id: "9007199254740993", receivedDateTime: "2026-03-01T12:00:07Z" };
    const attempt = { attemptId: 1, attemptStatus: "Succeeded", ...realFace(), audit };
    world.service.live.get(stored.record.sessionId)?.state.attempts.push(attempt);
    await recordResult(world.start().deps, stored);
    const [entry] = entriesOf(world);
    assert.deepEqual([entry?.entryId, entry?.receivedOn], [audit.id, audit.receivedDateTime]);
  });

  test("service returns the token -> not stored", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    const session = world.service.live.get(stored.record.sessionId);
    assert.ok(session);
    session.state.authToken = session.authToken;
    play(world.service, stored.record.sessionId, realFace());
    await recordResult(world.start().deps, stored);
    assert.equal(JSON.stringify(world.everything()).includes("secret-token"), false);
  });
});

describe("recordResult for a session that the service no longer knows", () => {
  test("attempts recorded before -> decided on the audit trail", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    play(world.service, stored.record.sessionId, realFace());
    const accepted = (await recordResult(world.start().deps, stored)).stored;
    world.service.live.clear();
    const { calls, deps } = world.start();
    const recorded = await recordResult(deps, accepted, { digest: "another" });
    assert.deepEqual(calls.names, ["face.get", "sessions.query", "sessions.get", "sessions.transact"]);
    assert.deepEqual(
      [recorded.stored.record.decision, recorded.stored.record.reasons],
      ["rejected", ["ClientDigestMismatch"]],
    );
  });

  test("older than 48 hours -> no call to the service", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    world.advance({ hours: 48 });
    const { calls, deps } = world.start();
    await recordResult(deps, stored);
    assert.deepEqual(calls.names, ["sessions.transact"]);
    assert.equal(world.record().status, "Expired");
  });
});

describe("recordResult with a concurrent write", () => {
  test("record changed -> decided again on the changed record", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    play(world.service, stored.record.sessionId, realFace());
    const swap = () => recordElsewhere(world, stored, { reasons: ["ClientDigestMismatch"], clientDigest: "another" });
    const { calls, deps } = world.start(beforeFirst("sessions.transact", swap));
    const recorded = await recordResult(deps, stored);
    // Reads the record again, and the guard because the decision differs.
    const again = ["sessions.get", "sessions.get", "sessions.transact"];
    assert.deepEqual(calls.names, ["face.get", "sessions.transact", ...again]);
    assert.deepEqual(
      [recorded.stored.record.decision, recorded.stored.record.reasons],
      ["rejected", ["ClientDigestMismatch"]],
    );
    assert.deepEqual(recorded.stored.record, world.record());
  });

  for (const [what, occasion, expected] of [
    ["a deletion", { revoking: true }, { status: "Canceled", attempts: 2 }],
    ["a digest", { digest: "another" }, { decision: "rejected", reasons: ["ClientDigestMismatch"] }],
    ["a client error", { clientError: "CameraDenied" }, { clientError: "CameraDenied" }],
  ] as const) {
    test(`more attempts recorded concurrently -> ${what} is recorded too`, async () => {
      const world = createWorld();
      const stored = await seedSession(world);
      const { sessionId } = stored.record;
      play(world.service, sessionId, failedAttempt());
      let isQuicker = true;
      const { deps } = world.start((moment) => {
        if (moment.name !== "sessions.transact" || moment.when !== "before" || !isQuicker) return undefined;
        isQuicker = false;
        play(world.service, sessionId, realFace());
        recordElsewhere(world, stored, { attempts: 2, final: true, decision: "accepted", reasons: ["RealFace"] });
        return undefined;
      });
      const { record } = (await recordResult(deps, stored, occasion)).stored;
      assert.deepEqual(record, world.record());
      assert.deepEqual({ ...record, ...expected }, record);
      assert.equal(record.attempts, 2);
    });
  }

  test("record changes before every write -> throws", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    play(world.service, stored.record.sessionId, realFace());
    let changes = 0;
    const { deps } = world.start(({ name, when }) => {
      if (name === "sessions.transact" && when === "before") {
        changes += 1;
        recordElsewhere(world, stored, { clientReferenceId: `change ${changes}` });
      }
      return undefined;
    });
    await assert.rejects(recordResult(deps, stored), /changed \d+ times/);
  });

  test("pruned session, record changed -> prunedOn is kept", async () => {
    const world = createWorld();
    const stored = { ...(await seedSession(world)), prunedOn: "2026-03-01T12:00:00.000Z" };
    play(world.service, stored.record.sessionId, realFace());
    const swap = () => recordElsewhere(world, stored, { clientReferenceId: "changed" });
    const recorded = await recordResult(world.start(beforeFirst("sessions.transact", swap)).deps, stored);
    assert.equal(recorded.stored.prunedOn, stored.prunedOn);
  });
});
