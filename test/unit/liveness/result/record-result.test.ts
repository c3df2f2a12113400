import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StoredSession } from "../../../../src/liveness/model/session.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { recordResult } from "../../../../src/liveness/result/record-result.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { locationOf } from "../../../../src/storage/rows/keys.ts";
import { type Hook, stopOn } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { drainOnce, runMaintenance } from "../../fakes/maintenance.ts";
import { seedSession, seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, command, createWorld, trusted, type World } from "../../fakes/world.ts";

const entriesOf = (world: World) =>
  world.tables.entries.all().map(({ value: { entryId, sessionId, receivedOn, entry } }) => ({
    ...{ entryId, sessionId, receivedOn },
    outcome: entry.error?.code ?? entry.result?.livenessDecision,
  }));

/** Runs `act` just before the first write of the record. */
const beforeWrite =
  (act: () => void): Hook =>
  ({ name, nth, when }) => {
    if (name === "sessions.transact" && nth === 1 && when === "before") act();
    return undefined;
  };

/** Another process changes the record with one write. */
function recordElsewhere(world: World, stored: StoredSession, change: object): void {
  const { partition, row } = locationOf(stored);
  const current = world.tables.records.get(partition, row)?.value ?? assert.fail();
  world.tables.records.put(partition, row, { ...current, ...change });
}

describe("recordResult", () => {
  test("session with two attempts -> outcome and audit entries in one transaction", async () => {
    const { world, stored } = await seedWorld({}, failedAttempt("FaceTrackingFailed"), realFace());
    const { calls, deps } = world.start();
    const recorded = await recordResult(deps, stored);
    assert.deepEqual(calls.names, ["face.get", "expiry.put", "sessions.transact"]);
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
    const { world, stored } = await seedWorld();
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
    const { world, stored } = await seedWorld();
    const audit = { id: "9007199254740993", receivedDateTime: "2026-03-01T12:00:07Z" };
    const attempt = { attemptId: 1, attemptStatus: "Succeeded", ...realFace(), audit };
    world.service.live.get(stored.record.sessionId)?.state.attempts.push(attempt);
    await recordResult(world.start().deps, stored);
    const [entry] = entriesOf(world);
    assert.deepEqual([entry?.entryId, entry?.receivedOn], [audit.id, audit.receivedDateTime]);
  });

  test("service returns the token -> not stored", async () => {
    const { world, stored } = await seedWorld();
    const session = world.service.live.get(stored.record.sessionId) ?? assert.fail();
    session.state.authToken = session.authToken;
    play(world.service, stored.record.sessionId, realFace());
    await recordResult(world.start().deps, stored);
    assert.equal(JSON.stringify(world.everything()).includes("secret-token"), false);
  });
});

describe("recordResult for a session that the service no longer knows", () => {
  test("attempts recorded before -> decided on the audit trail", async () => {
    const { world, stored } = await seedWorld({}, realFace());
    const accepted = (await recordResult(world.start().deps, stored)).stored;
    world.service.live.clear();
    const { calls, deps } = world.start();
    const recorded = await recordResult(deps, accepted, { digest: "another" });
    assert.deepEqual(calls.names, ["face.get", "sessions.query", "sessions.get", "expiry.put", "sessions.transact"]);
    const { decision, reasons } = recorded.stored.record;
    assert.deepEqual([decision, reasons], ["rejected", ["ClientDigestMismatch"]]);
  });

  test("older than 48 hours -> no call to the service", async () => {
    const { world, stored } = await seedWorld();
    world.advance({ hours: 48 });
    const { calls, deps } = world.start();
    await recordResult(deps, stored);
    assert.deepEqual(calls.names, ["expiry.put", "sessions.transact"]);
    assert.equal(world.record().status, "Expired");
  });

  test("service finds it again -> the timer records the result", async () => {
    const { world, stored, sessionId } = await seedWorld();
    const session = world.service.live.get(sessionId) ?? assert.fail();
    world.service.live.delete(sessionId);
    await recordResult(world.start().deps, stored);
    assert.equal(world.record().status, "Expired");
    world.service.live.set(sessionId, session);
    play(world.service, sessionId, realFace());
    world.advance({ minutes: 12 });
    await runMaintenance(world);
    assert.partialDeepStrictEqual(world.record(), { status: "Succeeded", attempts: 1, decision: "accepted" });
  });

  test("timer stopped after it recorded that -> the next run does not call the service again", async () => {
    const { world } = await seedWorld();
    world.service.live.clear();
    world.advance({ minutes: 12 });
    const stopped = world.start(stopOn("expiry.put", "before"));
    await stopped.attempt(() => drainOnce(stopped, world));
    assert.equal(world.record().status, "Expired");
    const { summary, names } = await runMaintenance(world);
    assert.equal(summary.collected, 1);
    assert.ok(!names.some((name) => name.startsWith("face.")));
  });
});

describe("recordResult with a concurrent write", () => {
  test("record changed -> decided again on the changed record, of a pruned session as well", async () => {
    const { world, ...seeded } = await seedWorld({}, realFace());
    const stored = { ...seeded.stored, prunedOn: "2026-03-01T12:00:00.000Z" };
    const swap = () => recordElsewhere(world, stored, { reasons: ["ClientDigestMismatch"], clientDigest: "another" });
    const { calls, deps } = world.start(beforeWrite(swap));
    const recorded = await recordResult(deps, stored);
    // Reads the record again, and the guard because the decision differs.
    const again = ["sessions.get", "sessions.get", "sessions.transact"];
    assert.deepEqual(calls.names, ["face.get", "expiry.put", "sessions.transact", ...again]);
    const { record, prunedOn } = recorded.stored;
    assert.deepEqual([record.decision, record.reasons], ["rejected", ["ClientDigestMismatch"]]);
    assert.deepEqual([record, prunedOn], [world.record(), stored.prunedOn]);
  });

  for (const [what, occasion, expected] of [
    ["a deletion", { revoking: true }, { status: "Canceled", attempts: 2 }],
    ["a digest", { digest: "another" }, { decision: "rejected", reasons: ["ClientDigestMismatch"] }],
    ["a client error", { clientError: "CameraDenied" }, { clientError: "CameraDenied" }],
  ] as const) {
    test(`more attempts recorded concurrently -> ${what} is recorded too`, async () => {
      const { world, stored, sessionId } = await seedWorld({}, failedAttempt());
      const recordMore = () => {
        play(world.service, sessionId, realFace());
        recordElsewhere(world, stored, { attempts: 2, final: true, decision: "accepted", reasons: ["RealFace"] });
      };
      const { deps } = world.start(beforeWrite(recordMore));
      const { record } = (await recordResult(deps, stored, occasion)).stored;
      assert.deepEqual(record, world.record());
      assert.deepEqual({ ...record, ...expected }, record);
      assert.equal(record.attempts, 2);
    });
  }

  test("record changes before every write -> throws", async () => {
    const { world, stored } = await seedWorld({}, realFace());
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

  test("40 rejected sessions of a device settled concurrently -> the guard counts 40 rejections", async () => {
    const world = createWorld();
    const spoof = realFace({ livenessDecision: "spoofface" });
    for (let count = 0; count < 40; count += 1) await seedSession(world, {}, spoof);
    const settle = (sessionId: string) => settleSession(world.start().deps, trusted, sessionId, {});
    await Promise.all(world.service.live.keys().map(settle));
    assert.equal(world.tables.guards.all()[0]?.value.rejectionsInARow, 40);
  });
});

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
