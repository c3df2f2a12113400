import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, trusted, type World } from "../../fakes/world.ts";

const device = "a-device";
const guardOf = ({ tables }: World) => tables.guards.all().find(({ partition }) => partition === device)?.value;

/** A process in which two rejections lock a device out. */
function start(world: World) {
  const { deps } = world.start();
  return { ...deps, limits: { ...deps.limits, lockoutRejections: 2 } };
}

/** A session whose result is recorded before its device is named. */
async function settleBeforeDevice(world: World, livenessDecision: string): Promise<string> {
  const { record } = await seedSession(world, { setInClient: true });
  play(world.service, record.sessionId, realFace({ livenessDecision }));
  await getSession(start(world), trusted, "liveness", record.sessionId);
  return record.sessionId;
}

describe("an outcome that was recorded before the session's device was named", () => {
  test("counts for the lock-out once the device is named, once", async () => {
    const world = createWorld();
    const first = await settleBeforeDevice(world, "spoofface");
    for (let call = 0; call < 2; call += 1) {
      await settleSession(start(world), trusted, first, { deviceCorrelationId: device });
      assert.equal(guardOf(world)?.rejectionsInARow, 1);
    }
    const second = await settleBeforeDevice(world, "spoofface");
    await settleSession(start(world), trusted, second, { deviceCorrelationId: device });
    assert.ok(guardOf(world)?.lockedUntil, "as a rejection that is recorded with the device");
    const lockouts = world.storage.sessions.all().filter(({ type }) => type === "liveness.device.locked_out");
    assert.equal(lockouts.length, 1);
  });

  test("an acceptance ends the series of rejections", async () => {
    const world = createWorld();
    for (const decision of ["spoofface", "realface"]) {
      const sessionId = await settleBeforeDevice(world, decision);
      await settleSession(start(world), trusted, sessionId, { deviceCorrelationId: device });
    }
    assert.equal(guardOf(world)?.rejectionsInARow, 0);
  });
});
