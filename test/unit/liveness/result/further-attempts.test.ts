import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt } from "../../../../src/face/model.ts";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { readAuditTrail } from "../../../../src/liveness/result/history.ts";
import { recordResult } from "../../../../src/liveness/result/record-result.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { failOn } from "../../fakes/calls.ts";
import { failedAttempt, type Outcome, play, realFace } from "../../fakes/face-service.ts";
import { drainOnce, runMaintenance } from "../../fakes/maintenance.ts";
import { testInterruptions } from "../../fakes/moments.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { trusted, type World } from "../../fakes/world.ts";

const spoof = realFace({ livenessDecision: "spoofface" });

/** A session settled after its first attempt, with further attempts until its token ended. */
async function usedAgain(further: Outcome[], first = realFace()): Promise<World> {
  const { world, sessionId } = await seedWorld({ uploads: true, owner: "alice" }, first);
  await settleSession(world.start().deps, trusted, sessionId, { digest: "service-digest" });
  for (const attempt of further) play(world.service, sessionId, attempt);
  world.advance({ minutes: 12 });
  return world;
}

/** Collects the session. Returns the calls. */
async function collect(world: World): Promise<string[]> {
  const { summary, names } = await runMaintenance(world);
  assert.equal(summary.collected, 1);
  return names;
}

const rejectionsIn = (world: World) =>
  world.tables.guards.all().find(({ partition }) => partition === "a-device")?.value.rejectionsInARow;

function assertRecorded(world: World, expected: Partial<ReturnType<World["record"]>>): void {
  assert.partialDeepStrictEqual(world.record(), { status: "Succeeded", final: true, ...expected });
  assert.equal(world.tables.entries.all().length, world.record().attempts);
}

describe("collecting a settled session with further attempts", async () => {
  test("any further attempts -> added to the audit trail, decision kept", async () => {
    for (const further of [[spoof], [failedAttempt()], [failedAttempt(), spoof]]) {
      const world = await usedAgain(further);
      const { reasons } = world.record();
      await collect(world);
      assertRecorded(world, { decision: "accepted", reasons, attempts: 1 + further.length });
      assert.equal(rejectionsIn(world), 0);
    }
  });

  test("further attempt flagged by abuse monitoring -> a person decides", async () => {
    const abuseMonitoringResult = { isAbuseDetected: true, otherFlaggedSessions: [] };
    const world = await usedAgain([{ ...realFace(), abuseMonitoringResult }]);
    await collect(world);
    const { decision, reasons } = world.record();
    assert.deepEqual([decision, reasons.at(-1)], ["inconclusive", "AbuseDetected"]);
  });

  test("rejected before, accepted in a further attempt -> stays rejected, counted once", async () => {
    const world = await usedAgain([realFace()], spoof);
    await collect(world);
    assertRecorded(world, { decision: "rejected", reasons: ["SpoofDetected"], attempts: 2 });
    assert.equal(rejectionsIn(world), 1);
  });

  test("further attempt with another verify image -> rejected, counted for the lockout", async () => {
    const world = await usedAgain([realFace({ verifyImageHash: "f".repeat(64) })]);
    await collect(world);
    assertRecorded(world, { decision: "rejected", reasons: ["VerifyImageHashMismatch"] });
    assert.equal(rejectionsIn(world), 1);
  });

  test("further attempt with an image -> linked to the session", async () => {
    const world = await usedAgain([realFace({ sessionImageId: "an-image" })]);
    await collect(world);
    assert.equal(await world.start().deps.sessionImages.sessionOf("an-image"), world.record().sessionId);
  });

  test("with or without further attempts -> one call to the service in all", async () => {
    for (const further of [[], [spoof]]) {
      const world = await usedAgain(further);
      assert.equal((await collect(world)).filter((name) => name === "face.get").length, 1);
      assert.equal((await runMaintenance(world)).names.includes("face.get"), false);
    }
  });

  test("no further attempts -> no requests to the tables besides those of the event and of the schedule", async () => {
    const names = await collect(await usedAgain([]));
    const requests = names.filter((name) => !/^(face|outcomes)\./.test(name));
    assert.deepEqual(requests, ["sessions.get", "expiry.remove", "expiry.put", "expiry.remove"]);
  });

  test("getSession instead of collecting -> the latest attempt decides", async () => {
    const world = await usedAgain([spoof]);
    await getSession(world.start().deps, trusted, "livenessWithVerify", world.record().sessionId);
    assert.equal(world.record().decision, "rejected");
  });

  const arrange = () => usedAgain([failedAttempt(), spoof]);
  await testInterruptions("the next run has recorded each attempt once", arrange, drainOnce, async (world) => {
    world.advance({ minutes: 5 });
    await runMaintenance(world);
    assertRecorded(world, { decision: "accepted", attempts: 3 });
  });
});

describe("recordResult with attempts out of order", () => {
  const ends = {
    "-": { attemptStatus: "Running" },
    F: { attemptStatus: "Failed", ...failedAttempt() },
    R: { attemptStatus: "Succeeded", ...realFace() },
  };
  /** Attempts written as their ends and ids, such as `F1 R2`, and with a slash before the id of their audit entry. */
  const attemptsOf = (text: string): Attempt[] =>
    [...text.matchAll(/([-FR])(\d)(?:\/(\d+))?/g)].map(([, end, id, auditId]) => ({
      ...{ attemptId: Number(id), ...ends[end as keyof typeof ends] },
      ...(auditId !== undefined && { audit: { id: auditId } }),
    }));

  for (const [what, responses, entries, decision] of [
    [
      "an attempt ends after a later one -> all",
      ["-1 F2", "F1 F2", "F1 F2 R3"],
      "1 at 01, 2 at 00, 3 at 02",
      "accepted",
    ],
    [
      "an audit entry follows one with a higher id -> both",
      ["F2/71", "F1/70 F2/71"],
      "70 at 01, 71 at 00",
      "inconclusive",
    ],
    ["earlier attempts are no longer returned -> all", ["F1 F2", "R3"], "1 at 00, 2 at 00, 3 at 01", "accepted"],
    ["an attempt is returned twice -> once", ["F1 F1", "F1 F1 F2"], "1 at 00, 2 at 01", "inconclusive"],
  ] as const) {
    test(`${what} recorded`, async () => {
      const { world, sessionId } = await seedWorld();
      for (const response of responses) {
        const state = { attempts: attemptsOf(response), status: "Running" };
        Object.assign(world.service.live.get(sessionId)?.state ?? {}, state);
        const { deps } = world.start();
        await recordResult(deps, (await deps.sessions.find(sessionId)) ?? assert.fail());
        world.advance({ minutes: 1 });
      }
      const recorded = world.tables.entries.all().map(({ value }) => value);
      const times = recorded.map(({ entryId, receivedOn }) => `${entryId} at ${receivedOn?.slice(14, 16)}`);
      assert.equal(times.join(", "), entries);
      assert.deepEqual([world.record().attempts, world.record().decision], [times.length, decision]);
    });
  }
});

describe("readAuditTrail", () => {
  test("attempt after the first result -> contained, and decides", async () => {
    const { world, sessionId } = await seedWorld({}, realFace({ livenessDecision: "uncertain" }));
    const { deps } = world.start();
    const countOf = async () => (await readAuditTrail(deps, trusted, "liveness", sessionId)).attempts.length;
    assert.equal(await countOf(), 1);
    play(world.service, sessionId, realFace());
    assert.equal(await countOf(), 2);
    assert.equal(world.record().decision, "accepted");
  });

  test("no further attempt possible -> read from the store without the service", async () => {
    for (const [attempts, minutes] of [
      [[failedAttempt(), failedAttempt(), realFace()], 0],
      [[realFace()], 12],
    ] as const) {
      const { world, sessionId } = await seedWorld({}, ...attempts);
      world.advance({ minutes });
      await settleSession(world.start().deps, trusted, sessionId, {});
      const { deps } = world.start(failOn("face.get"));
      const trail = await readAuditTrail(deps, trusted, "liveness", sessionId);
      assert.equal(trail.attempts.length, attempts.length);
    }
  });
});
