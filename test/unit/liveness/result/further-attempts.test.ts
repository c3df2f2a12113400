import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { drain } from "../../../../src/liveness/retain/maintain.ts";
import { failedAttempt, type Outcome, play, realFace } from "../../fakes/face-service.ts";
import { interruptionsOf } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

const spoof = realFace({ livenessDecision: "spoofface" });

/** A session settled after its first attempt, with further attempts until its token ended. */
async function usedAgain(further: Outcome[], first = realFace()): Promise<World> {
  const world = createWorld();
  const { record } = await seedSession(world, { uploads: true, owner: "alice" });
  play(world.service, record.sessionId, first);
  await settleSession(world.start().deps, trusted, record.sessionId, { digest: "service-digest" });
  for (const attempt of further) play(world.service, record.sessionId, attempt);
  world.advance({ minutes: 12 });
  return world;
}

const collect = (process: Process, world: World) => drain(process.maintenance(), world.now() + 60_000);

async function collected(world: World) {
  const process = world.start();
  assert.equal((await collect(process, world)).collected, 1);
  return { names: process.calls.names, record: world.record(), entries: world.tables.entries.all() };
}

const outcome = ({
  record: { decision, reasons, status, attempts, final },
}: {
  record: ReturnType<World["record"]>;
}) => [...[decision, reasons, status, attempts, final]];

describe("collecting a settled session with further attempts", () => {
  test("any further attempts -> added to the audit trail, decision kept", async () => {
    for (const further of [[spoof], [failedAttempt()], [failedAttempt(), spoof]]) {
      const world = await usedAgain(further);
      const { reasons } = world.record();
      const done = await collected(world);
      assert.deepEqual(outcome(done), ["accepted", reasons, "Succeeded", 1 + further.length, true]);
      assert.equal(done.entries.length, 1 + further.length);
      assert.deepEqual(world.tables.guards.all()[0]?.value.rejectionsInARow, 0);
    }
  });

  test("further attempt flagged by abuse monitoring -> a person decides", async () => {
    const abuseMonitoringResult = { isAbuseDetected: true, otherFlaggedSessions: [] };
    const world = await usedAgain([{ ...realFace(), abuseMonitoringResult }]);
    const [decision, reasons] = outcome(await collected(world));
    assert.equal(decision, "inconclusive");
    assert.ok(Array.isArray(reasons) && reasons.includes("AbuseDetected"), String(reasons));
  });

  test("rejected before, accepted in a further attempt -> stays rejected, counted once", async () => {
    const world = await usedAgain([realFace()], spoof);
    assert.deepEqual(outcome(await collected(world)), ["rejected", ["SpoofDetected"], "Succeeded", 2, true]);
    assert.equal(
      world.tables.guards.all().find(({ partition }) => partition === "a-device")?.value.rejectionsInARow,
      1,
    );
  });

  test("further attempt with another verify image -> rejected, counted for the lock-out", async () => {
    const world = await usedAgain([realFace({ verifyImageHash: "f".repeat(64) })]);
    const [decision, reasons] = outcome(await collected(world));
    assert.deepEqual([decision, reasons], ["rejected", ["VerifyImageHashMismatch"]]);
    assert.equal(
      world.tables.guards.all().find(({ partition }) => partition === "a-device")?.value.rejectionsInARow,
      1,
    );
  });

  test("further attempt with an image -> linked to the session", async () => {
    const world = await usedAgain([realFace({ sessionImageId: "an-image" })]);
    await collected(world);
    assert.equal(await world.start().deps.sessionImages.sessionOf("an-image"), world.record().sessionId);
  });

  test("with or without further attempts -> one call to the service in all", async () => {
    for (const further of [[], [spoof]]) {
      const world = await usedAgain(further);
      const { names } = await collected(world);
      assert.equal(names.filter((name) => name === "face.get").length, 1);
      const process = world.start();
      await collect(process, world);
      assert.equal(process.calls.names.includes("face.get"), false);
    }
  });

  test("no further attempts -> no additional requests to the tables", async () => {
    const { names } = await collected(await usedAgain([]));
    const requests = names.filter((name) => !name.startsWith("face.") && name !== "expiry.query");
    assert.deepEqual(requests, ["sessions.get", "expiry.put", "expiry.remove"]);
  });

  test("getSession instead of collecting -> the latest attempt decides", async () => {
    const world = await usedAgain([spoof]);
    const { sessionId } = world.record();
    await getSession(world.start().deps, trusted, "livenessWithVerify", sessionId);
    assert.equal(world.record().decision, "rejected");
  });
});

describe("collecting a settled session with further attempts, interrupted", async () => {
  const arrange = () => usedAgain([failedAttempt(), spoof]);
  for (const { name, hook } of await interruptionsOf(arrange, collect)) {
    test(`${name} -> the next run has recorded each attempt once`, async () => {
      const world = await arrange();
      const process = world.start(hook);
      await process.attempt(() => collect(process, world));
      world.advance({ minutes: 5 });
      await collect(world.start(), world);
      assert.deepEqual(outcome({ record: world.record() }).slice(2), ["Succeeded", 3, true]);
      assert.equal(world.record().decision, "accepted");
      assert.equal(world.tables.entries.all().length, 3);
    });
  }
});
