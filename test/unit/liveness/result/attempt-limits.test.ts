import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compact } from "../../../../src/compact.ts";
import type { Attempt } from "../../../../src/face/model.ts";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { readAuditTrail } from "../../../../src/liveness/result/history.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { failOn } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { runMaintenance } from "../../fakes/maintenance.ts";
import { testInterruptions } from "../../fakes/moments.ts";
import { type Seed, seedWorld } from "../../fakes/seed.ts";
import { type Process, trusted, type World } from "../../fakes/world.ts";

/** Sessions whose caller allows fewer attempts than the service does: an upstream version without a limit. */

type Outcome = Pick<Attempt, "result" | "error">;
const spoof = realFace({ livenessDecision: "spoofface" });
const notFound = { name: "ApiError", status: 404, code: "SessionNotFound" };

/** A world with one session, whose device has made these attempts. */
async function played(attemptsAllowed: number | undefined, outcomes: Outcome[], more: Seed = {}): Promise<World> {
  const seed = { ...compact({ attemptsAllowed }), verifyReferences: [], modelVersion: "a-model", ...more };
  const { world, sessionId } = await seedWorld(seed, ...outcomes);
  // The service allows another attempt after failed ones.
  const { state } = world.service.live.get(sessionId) ?? {};
  if (state?.status === "Failed" && outcomes.length < 3) state.status = "Running";
  return world;
}

const idOf = (world: World) => world.record().sessionId;
const get = (world: World, process = world.start()) => getSession(process.deps, trusted, "liveness", idOf(world));
const settle = (world: World, digest?: string) =>
  settleSession(world.start().deps, trusted, idOf(world), digest === undefined ? {} : { digest });
const remove = (world: World) => deleteSession(world.start().deps, trusted, "liveness", idOf(world));
const isLive = (world: World) => world.service.live.size > 0;

const failure = "Failed inconclusive AttemptsFailed";
const success = "Succeeded accepted RealFace ClientDigestMissing";

/** Asserts the recorded status, decision and reasons, and that the audit trail has all attempts. */
function assertRecorded(world: World, outcome: string, attempts: number): void {
  const { status, decision, reasons, ...record } = world.record();
  assert.equal([status, decision, ...reasons].join(" "), outcome);
  assert.deepEqual([record.attempts, record.final, world.tables.entries.all().length], [attempts, true, attempts]);
}

describe("reading a session whose attempts are used up", () => {
  for (const [name, allowed, outcomes, expected] of [
    ["a failed attempt", 1, [failedAttempt()], failure],
    ["a real face", 1, [realFace()], success],
    ["two failed attempts of two", 2, [failedAttempt(), failedAttempt()], failure],
    ["a failed attempt and a real face", 2, [failedAttempt(), realFace()], success],
    ["a real face beyond the limit", 1, [failedAttempt(), realFace()], failure],
    ["failures beyond the limit", 1, [realFace(), failedAttempt()], success],
    ["a spoof beyond the limit", 2, [failedAttempt(), realFace(), spoof], success],
  ] as const) {
    test(`${name} -> recorded and revoked, answered from storage from then on`, async () => {
      const world = await played(allowed, [...outcomes]);
      const first = await get(world);
      assertRecorded(world, expected, outcomes.length);
      assert.equal(isLive(world), false);

      const before = world.everything();
      const again = await get(world);
      assert.deepEqual(again.state, first.state);
      assert.equal(again.state.status, expected.split(" ")[0]);
      const shown = again.state.attempts.map(({ attemptId }) => attemptId);
      assert.deepEqual(shown, [1, 2].slice(0, allowed), "attempts beyond the limit are not shown");
      assert.equal(again.state.modelVersion, "a-model");
      assert.deepEqual(world.everything(), before);
    });
  }

  test("fewer attempts than allowed -> not revoked", async () => {
    const limited = [0, 1, 2].map((made) => ({ made, allowed: made + 1 }));
    for (const { made, allowed } of [...limited, { made: 1, allowed: undefined }, { made: 3, allowed: undefined }]) {
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

  test("an attempt that ended before an earlier one -> the ended one is shown, before and after the revocation", async () => {
    for (const sessionImageId of [undefined, "an-image"]) {
      const world = await played(1, []);
      world.service.live.get(idOf(world))?.state.attempts.push({ attemptId: 1, attemptStatus: "Running" });
      play(world.service, idOf(world), realFace({ ...(sessionImageId !== undefined && { sessionImageId }) }));
      for (const { state } of [await get(world), await get(world)]) {
        assert.deepEqual([state.status, state.attempts.map(({ attemptId }) => attemptId)], ["Succeeded", [2]]);
      }
      assertRecorded(world, success, 1);
    }
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
    assertRecorded(world, success, 2);
    const images = state.attempts.map(({ result }) => result?.sessionImageId);
    assert.deepEqual(images, ["first"]);
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
    assertRecorded(world, success, 2);
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
    assert.equal(world.tables.guards.all()[0]?.value.rejectionsInARow, 1);
  });
});

describe("deleting a session whose attempts are used up", () => {
  test("recorded and revoked before, or not -> deleted once, then 404", async () => {
    for (const isRead of [true, false]) {
      const world = await played(1, [realFace()]);
      if (isRead) await get(world);
      await remove(world);
      assertRecorded(world, success.replace("Succeeded", "Canceled"), 1);
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
  test("settled before -> collected without a call to the service, then pruned and purged", async () => {
    const world = await played(1, [failedAttempt()]);
    await settle(world);
    world.advance({ minutes: 12 });
    const { summary, names } = await runMaintenance(world);
    assert.equal(summary.collected, 1);
    assert.ok(!names.some((name) => name.startsWith("face.")));
    assertRecorded(world, failure, 1);
    world.advance({ hours: 48 });
    assert.equal((await runMaintenance(world)).summary.pruned, 1);
    assertRecorded(world, failure, 1);
    world.advance({ days: 90 });
    assert.equal((await runMaintenance(world)).summary.purged, 1);
    assert.deepEqual(world.tables.records.all(), []);
  });

  for (const [what, allowed, outcomes, expected] of [
    ["not read before -> the counted attempts decide", 1, [failedAttempt(), realFace()], failure],
    ["not used up at the token's end -> Expired", 2, [failedAttempt()], failure.replace("Failed", "Expired")],
  ] as const) {
    test(`${what}, and all attempts are recorded`, async () => {
      const world = await played(allowed, [...outcomes]);
      world.advance({ minutes: 12 });
      assert.equal((await runMaintenance(world)).summary.collected, 1);
      assertRecorded(world, expected, outcomes.length);
    });
  }
});

describe("settling with a limit of attempts, interrupted", async () => {
  const arrange = () => played(1, [failedAttempt(), realFace()]);
  const operate = (process: Process, world: World) => settleSession(process.deps, trusted, idOf(world), {});
  await testInterruptions("a repeat has the same outcome", arrange, operate, async (world) => {
    await settle(world);
    assertRecorded(world, failure, 2);
    assert.equal((await get(world)).state.status, "Failed");
  });
});

test("a finding of abuse monitoring that is newer than the recorded attempt stays after the service has forgotten the session", async () => {
  const abuse = { abuseMonitoringResult: { isAbuseDetected: true, otherFlaggedSessions: [] } };
  for (const forget of ["deleted", "expired"]) {
    const world = await played(1, [realFace()], { upstreamVersion: "v1.3-preview.1" });
    const start = () => {
      const { deps } = world.start();
      return { ...deps, face: { ...deps.face, version: "v1.3-preview.1" } as const };
    };
    const settled = async () => {
      const { decision, reasons } = await settleSession(start(), trusted, idOf(world), { digest: "service-digest" });
      return [decision, ...reasons].join(" ");
    };
    assert.equal(await settled(), "accepted RealFace");
    Object.assign(world.service.live.get(idOf(world))?.state.attempts[0] ?? {}, abuse);
    assert.equal(await settled(), "inconclusive RealFace AbuseDetected");
    if (forget === "deleted") await deleteSession(start(), trusted, "liveness", idOf(world));
    else world.advance({ hours: 49 });
    assert.equal(await settled(), "inconclusive RealFace AbuseDetected");
  }
});
