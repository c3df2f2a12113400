import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StoredSession } from "../../../../src/liveness/model/session.ts";
import { recordResult } from "../../../../src/liveness/result/record-result.ts";
import { locationOf } from "../../../../src/storage/rows/references.ts";
import { failOn, type Hook, InjectedError } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type World } from "../../fakes/world.ts";

const entriesOf = (world: World) =>
  world.tables.entries.all().map(({ value: { entryId, sessionId, receivedOn, entry } }) => ({
    ...{ entryId, sessionId, receivedOn },
    outcome: entry.error?.code ?? entry.result?.livenessDecision,
  }));

/** Lets `happen` happen just before the first call of that name. */
function meanwhile(name: string, happen: () => void): Hook {
  let isDone = false;
  return (moment) => {
    if (moment.name === name && moment.when === "before" && !isDone) {
      isDone = true;
      happen();
    }
    return undefined;
  };
}

/** Another process looks at the session and records what it sees, all at once. */
function recordElsewhere(world: World, stored: StoredSession, change: object): void {
  const { partition, row } = locationOf(stored);
  const current = world.tables.records.get(partition, row)?.value ?? assert.fail();
  world.tables.records.put(partition, row, { ...current, ...change });
}

describe("recording a result", () => {
  test("writes the outcome and the audit entries at once", async () => {
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

  test("writes nothing where nothing is new", async () => {
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

  test("writes audit entries only of attempts that have ended since", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    const { sessionId } = stored.record;
    play(world.service, sessionId, failedAttempt("First"));
    const first = (await recordResult(world.start().deps, stored)).stored;
    world.advance({ minutes: 1 });
    play(world.service, sessionId, failedAttempt("Second"));
    world.service.live.get(sessionId)?.state.attempts.push({ attemptId: 3, attemptStatus: "Running" });
    const second = (await recordResult(world.start().deps, first)).stored;
    assert.equal(second.record.attempts, 2);
    assert.deepEqual(
      entriesOf(world).map(({ entryId, outcome, receivedOn }) => [entryId, outcome, receivedOn]),
      [
        ["1", "First", "2026-03-01T12:00:00.000Z"],
        ["2", "Second", "2026-03-01T12:01:00.000Z"],
      ],
    );
  });

  test("takes id and time of an entry from the service where it tells them", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    const audit = { id: "9007199254740993", receivedDateTime: "2026-03-01T12:00:07Z" };
    const attempt = { attemptId: 1, attemptStatus: "Succeeded", ...realFace(), audit };
    world.service.live.get(stored.record.sessionId)?.state.attempts.push(attempt);
    await recordResult(world.start().deps, stored);
    const [entry] = entriesOf(world);
    assert.deepEqual([entry?.entryId, entry?.receivedOn], [audit.id, audit.receivedDateTime]);
  });

  test("never writes a token, even where the service tells one", async () => {
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

describe("a session that the service has forgotten", () => {
  test("has expired, and is inconclusive unless it was decided", async () => {
    const world = createWorld();
    const unused = await seedSession(world);
    world.service.live.clear();
    const recorded = await recordResult(world.start().deps, unused);
    assert.equal(recorded.state, undefined);
    const { status, final, decision, reasons } = world.record();
    assert.deepEqual(
      { status, final, decision, reasons },
      {
        ...{ status: "Expired", final: true, decision: "inconclusive", reasons: ["SessionUnused"] },
      },
    );
  });

  test("is judged by what was recorded of it", async () => {
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

  test("costs the service no call once it surely has", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    world.advance({ hours: 48 });
    const { calls, deps } = world.start();
    await recordResult(deps, stored);
    assert.deepEqual(calls.names, ["sessions.transact"]);
    assert.equal(world.record().status, "Expired");
  });
});

describe("while somebody else writes", () => {
  test("decides anew on what stands there then", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    play(world.service, stored.record.sessionId, realFace());
    const swap = () => recordElsewhere(world, stored, { reasons: ["ClientDigestMismatch"], clientDigest: "another" });
    const { calls, deps } = world.start(meanwhile("sessions.transact", swap));
    const recorded = await recordResult(deps, stored);
    // It is read again, and so is the guard, as the outcome is another.
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
    ["a client's error", { clientError: "CameraDenied" }, { clientError: "CameraDenied" }],
  ] as const) {
    test(`forgets not ${what}, though more was recorded than it saw itself`, async () => {
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

  test("gives up where the record changes again and again", async () => {
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

  test("has nothing to tell where the record was erased", async () => {
    const world = createWorld();
    const stored = await seedSession(world);
    play(world.service, stored.record.sessionId, realFace());
    const { partition, row } = stored;
    const { deps } = world.start(meanwhile("sessions.transact", () => world.tables.records.remove(partition, row)));
    assert.deepEqual(await recordResult(deps, stored), { stored, state: undefined, isErased: true });
    assert.deepEqual(world.tables.entries.all(), []);
  });

  test("keeps in mind that the session was pruned", async () => {
    const world = createWorld();
    const stored = { ...(await seedSession(world)), prunedOn: "2026-03-01T12:00:00.000Z" };
    play(world.service, stored.record.sessionId, realFace());
    const swap = () => recordElsewhere(world, stored, { clientReferenceId: "changed" });
    const recorded = await recordResult(world.start(meanwhile("sessions.transact", swap)).deps, stored);
    assert.equal(recorded.stored.prunedOn, stored.prunedOn);
  });
});

test("leaves everything as it was when a call fails", async () => {
  const world = createWorld();
  const stored = await seedSession(world);
  play(world.service, stored.record.sessionId, realFace());
  const before = world.everything();
  for (const name of ["face.get", "sessions.transact"]) {
    await assert.rejects(recordResult(world.start(failOn(name)).deps, stored), InjectedError);
    assert.deepEqual(world.everything(), before);
  }
});
