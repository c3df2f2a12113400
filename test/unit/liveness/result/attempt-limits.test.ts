import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt } from "../../../../src/face/model.ts";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { readAuditTrail } from "../../../../src/liveness/result/history.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { drain } from "../../../../src/liveness/retain/maintain.ts";
import { failOn } from "../../fakes/calls.ts";
import { createFakeFaceService, failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { interruptionsOf } from "../../fakes/moments.ts";
import { type Seed, seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

/** Sessions whose caller allows fewer attempts than the service does: an upstream version without a limit. */

type Outcome = Pick<Attempt, "result" | "error">;
const spoof = realFace({ livenessDecision: "spoofface" });
const notFound = { name: "ApiError", status: 404, code: "SessionNotFound" };

/** A world with one session, whose device has made these attempts. */
async function played(attemptsAllowed: number | undefined, outcomes: Outcome[], more: Seed = {}): Promise<World> {
  const world = createWorld();
  const { record } = await seedSession(world, {
    ...(attemptsAllowed !== undefined && { attemptsAllowed }),
    verifyReferences: [],
    modelVersion: "a-model",
    ...more,
  });
  for (const outcome of outcomes) play(world.service, record.sessionId, outcome);
  // The service allows another attempt after failed ones.
  const { state } = world.service.live.get(record.sessionId) ?? {};
  if (state?.status === "Failed" && outcomes.length < 3) state.status = "Running";
  return world;
}

const idOf = (world: World) => world.record().sessionId;
const get = (world: World, process = world.start()) => getSession(process.deps, trusted, "liveness", idOf(world));
const settle = (world: World, digest?: string) =>
  settleSession(world.start().deps, trusted, idOf(world), digest === undefined ? {} : { digest });
const remove = (world: World) => deleteSession(world.start().deps, trusted, "liveness", idOf(world));
const isLive = (world: World) => world.service.live.size > 0;

/** What is recorded of the session. */
function outcomeOf(world: World) {
  const { status, decision, reasons, attempts, final } = world.record();
  return { status, decision, reasons, attempts, final };
}

const failedOutcome = { status: "Failed", decision: "inconclusive", reasons: ["AttemptsFailed"], final: true } as const;
const acceptedOutcome = {
  ...{ status: "Succeeded", decision: "accepted", reasons: ["RealFace", "ClientDigestMissing"], final: true },
} as const;

describe("reading a session whose attempts are used up", () => {
  for (const [name, allowed, outcomes, expected] of [
    ["a failed attempt", 1, [failedAttempt()], { ...failedOutcome, attempts: 1 }],
    ["a real face", 1, [realFace()], { ...acceptedOutcome, attempts: 1 }],
    ["two failed attempts of two", 2, [failedAttempt(), failedAttempt()], { ...failedOutcome, attempts: 2 }],
    ["a failed attempt and a real face", 2, [failedAttempt(), realFace()], { ...acceptedOutcome, attempts: 2 }],
    ["a real face beyond the limit", 1, [failedAttempt(), realFace()], { ...failedOutcome, attempts: 2 }],
    ["failures beyond the limit", 1, [realFace(), failedAttempt()], { ...acceptedOutcome, attempts: 2 }],
    ["a spoof beyond the limit", 2, [failedAttempt(), realFace(), spoof], { ...acceptedOutcome, attempts: 3 }],
  ] as const) {
    test(`${name} -> recorded and revoked, answered from storage from then on`, async () => {
      const world = await played(allowed, [...outcomes]);
      const first = await get(world);
      assert.deepEqual(outcomeOf(world), expected);
      assert.equal(isLive(world), false);
      assert.equal(world.tables.entries.all().length, outcomes.length, "every attempt is in the audit trail");

      const before = world.everything();
      const again = await get(world);
      assert.deepEqual(again.state, first.state);
      assert.equal(again.state.status, expected.status);
      assert.deepEqual(
        again.state.attempts.map(({ attemptId }) => attemptId),
        Array.from({ length: allowed }, (_, index) => index + 1),
        "attempts beyond the limit are not shown",
      );
      assert.equal(again.state.modelVersion, "a-model");
      assert.deepEqual(world.everything(), before);
    });
  }

  test("fewer attempts than allowed -> not revoked", async () => {
    for (const [allowed, made] of [
      [1, 0],
      [2, 1],
      [3, 2],
      [undefined, 1],
      [undefined, 3],
    ] as const) {
      const world = await played(allowed, Array<Outcome>(made).fill(failedAttempt()));
      await get(world);
      assert.equal(isLive(world), true, `${made} of ${allowed}`);
    }
  });

  test("an attempt that has not ended -> not revoked", async () => {
    const world = await played(1, []);
    world.service.live.get(idOf(world))?.state.attempts.push({ attemptId: 1, attemptStatus: "Running" });
    await get(world);
    assert.equal(isLive(world), true);
    assert.equal(world.record().decision, undefined);
  });

  test("an upstream version that has the limit -> not revoked", async () => {
    const world = await played(1, [realFace()], { upstreamVersion: "v1.3-preview.1" });
    const { state } = await get(world);
    assert.equal(isLive(world), true);
    assert.equal(state.status, "Succeeded");
  });

  test("images of attempts at the service -> not revoked; further attempts are recorded and do not count", async () => {
    const image = (id: string, livenessDecision = "realface") => realFace({ livenessDecision, sessionImageId: id });
    const world = await played(1, [image("first")]);
    await get(world);
    assert.equal(isLive(world), true);
    play(world.service, idOf(world), image("second", "spoofface"));
    const { state } = await get(world);
    assert.deepEqual(outcomeOf(world), { ...acceptedOutcome, attempts: 2 });
    assert.deepEqual(
      state.attempts.map(({ result }) => result?.sessionImageId),
      ["first"],
    );
    assert.equal(world.tables.entries.all().length, 2);
  });

  test("the user gave up in the last attempt -> Canceled stays", async () => {
    const world = await played(1, [failedAttempt("UserCanceledSession")]);
    Object.assign(world.service.live.get(idOf(world))?.state ?? {}, { status: "Canceled" });
    const { state } = await get(world);
    assert.equal(state.status, "Canceled");
    assert.equal(world.record().status, "Canceled");
  });

  test("a revocation that fails -> the answer is the same, and the next request revokes", async () => {
    const world = await played(1, [realFace()]);
    const { state } = await get(world, world.start(failOn("face.revoke")));
    assert.equal(state.status, "Succeeded");
    assert.equal(isLive(world), true);
    play(world.service, idOf(world), spoof);
    await get(world);
    assert.equal(isLive(world), false);
    assert.deepEqual(outcomeOf(world), { ...acceptedOutcome, attempts: 2 });
  });
});

describe("settling a session whose attempts are used up", () => {
  test("digest after the revocation -> compared with the recorded attempt", async () => {
    for (const [digest, decision, reasons] of [
      ["service-digest", "accepted", ["RealFace"]],
      ["other", "rejected", ["ClientDigestMismatch"]],
    ] as const) {
      const world = await played(1, [realFace()]);
      await get(world);
      const record = await settle(world, digest);
      assert.deepEqual([record.decision, record.reasons, record.status], [decision, reasons, "Succeeded"]);
      assert.deepEqual(await settle(world, digest), record);
    }
  });

  test("repeated, and read from the audit trail -> the same, counted once", async () => {
    const world = await played(1, [spoof, realFace()]);
    const first = await settle(world);
    assert.deepEqual([first.decision, first.status, first.attempts], ["rejected", "Succeeded", 2]);
    assert.deepEqual(await settle(world), first);
    const { attempts } = await readAuditTrail(world.start().deps, trusted, "liveness", first.sessionId);
    assert.equal(attempts.length, 2);
    assert.deepEqual(
      world.tables.guards.all().map(({ value }) => value.rejectionsInARow),
      [1],
    );
  });
});

describe("deleting a session whose attempts are used up", () => {
  test("recorded and revoked before, or not -> deleted once, then 404", async () => {
    for (const isRead of [true, false]) {
      const world = await played(1, [realFace()]);
      if (isRead) await get(world);
      await remove(world);
      assert.deepEqual(outcomeOf(world), { ...acceptedOutcome, attempts: 1, status: "Canceled" });
      assert.equal(isLive(world), false);
      await assert.rejects(remove(world), notFound);
      await assert.rejects(get(world), notFound);
    }
  });

  test("past the session's life at the service -> 404, as for any session", async () => {
    for (const allowed of [1, undefined]) {
      const world = await played(allowed, [realFace()]);
      await get(world);
      world.advance({ hours: 49 });
      await assert.rejects(get(world), notFound);
      await assert.rejects(remove(world), notFound);
    }
  });
});

describe("the timer and sessions whose attempts are used up", () => {
  const run = (process: Process, world: World) => drain(process.maintenance(), world.now() + 60_000);

  test("settled before -> collected without a call to the service, then pruned and purged", async () => {
    const world = await played(1, [failedAttempt()]);
    await settle(world);
    world.advance({ minutes: 12 });
    const process = world.start();
    const ran = await run(process, world);
    assert.equal(ran.collected, 1);
    assert.deepEqual(
      process.calls.names.filter((name) => name.startsWith("face.")),
      [],
    );
    assert.deepEqual(outcomeOf(world), { ...failedOutcome, attempts: 1 });
    world.advance({ hours: 48 });
    assert.equal((await run(world.start(), world)).pruned, 1);
    assert.deepEqual(outcomeOf(world), { ...failedOutcome, attempts: 1 });
    world.advance({ days: 90 });
    assert.equal((await run(world.start(), world)).purged, 1);
    assert.deepEqual(world.tables.records.all(), []);
  });

  test("not read before -> the counted attempts decide, and all are recorded", async () => {
    const world = await played(1, [failedAttempt(), realFace()]);
    world.advance({ minutes: 12 });
    assert.equal((await run(world.start(), world)).collected, 1);
    assert.deepEqual(outcomeOf(world), { ...failedOutcome, attempts: 2 });
    assert.equal(world.tables.entries.all().length, 2);
  });

  test("a token that has ended before the attempts were used up -> Expired, as without a limit", async () => {
    const world = await played(2, [failedAttempt()]);
    world.advance({ minutes: 12 });
    assert.equal((await run(world.start(), world)).collected, 1);
    assert.deepEqual(outcomeOf(world), { ...failedOutcome, attempts: 1, status: "Expired" });
  });
});

describe("settling with a limit of attempts, interrupted", async () => {
  const arrange = () => played(1, [failedAttempt(), realFace()]);
  const operate = (process: Process, world: World) => settleSession(process.deps, trusted, idOf(world), {});
  for (const { name, hook } of await interruptionsOf(arrange, operate)) {
    test(`${name} -> a repeat has the same outcome`, async () => {
      const world = await arrange();
      const process = world.start(hook);
      await process.attempt(() => operate(process, world));
      await settle(world);
      assert.deepEqual(outcomeOf(world), { ...failedOutcome, attempts: 2 });
      assert.equal(world.tables.entries.all().length, 2);
      assert.equal((await get(world)).state.status, "Failed");
    });
  }
});

describe("a finding of abuse monitoring that is newer than the recorded attempt", () => {
  const abuse = { abuseMonitoringResult: { isAbuseDetected: true, otherFlaggedSessions: [] } };

  test("stays after the service has forgotten the session", async () => {
    for (const forget of ["deleted", "expired"]) {
      const world = await played(1, [realFace()], { upstreamVersion: "v1.3-preview.1" });
      const start = () => {
        const process = world.start();
        const face = createFakeFaceService(world.service, process.calls, world.now, "v1.3-preview.1");
        return { ...process.deps, face };
      };
      const settled = async () => {
        const { decision, reasons } = await settleSession(start(), trusted, idOf(world), { digest: "service-digest" });
        return [decision, ...reasons];
      };
      assert.deepEqual(await settled(), ["accepted", "RealFace"]);
      Object.assign(world.service.live.get(idOf(world))?.state.attempts[0] ?? {}, abuse);
      const flagged = ["inconclusive", "RealFace", "AbuseDetected"];
      assert.deepEqual(await settled(), flagged);
      if (forget === "deleted") await deleteSession(start(), trusted, "liveness", idOf(world));
      else world.advance({ hours: 49 });
      assert.deepEqual(await settled(), flagged);
    }
  });
});
