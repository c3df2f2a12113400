import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { realFace } from "../../fakes/face-service.ts";
import { seedSettled } from "../../fakes/seed.ts";
import { createWorld, trusted, type World } from "../../fakes/world.ts";

const device = "a-device";
const guardOf = ({ tables }: World) => tables.guards.all().find(({ partition }) => partition === device)?.value;

const settleBeforeDevice = (world: World, livenessDecision: string) =>
  seedSettled(world, { setInClient: true }, realFace({ livenessDecision }));

/** Names the device, in a process in which two rejections lock a device out. */
function nameDevice(world: World, sessionId: string) {
  const { deps } = world.start();
  const limits = { ...deps.limits, lockoutRejections: 2 };
  return settleSession({ ...deps, limits }, trusted, sessionId, { deviceCorrelationId: device });
}

describe("an outcome that was recorded before the session's device was named", () => {
  test("counts for the lockout once the device is named, once", async () => {
    const world = createWorld();
    const first = await settleBeforeDevice(world, "spoofface");
    for (let call = 0; call < 2; call += 1) {
      await nameDevice(world, first);
      assert.equal(guardOf(world)?.rejectionsInARow, 1);
    }
    await nameDevice(world, await settleBeforeDevice(world, "spoofface"));
    assert.ok(guardOf(world)?.lockedUntil, "as a rejection that is recorded with the device");
    const lockouts = world.storage.sessions.all().filter(({ type }) => type === "liveness.device.locked_out");
    assert.equal(lockouts.length, 1);
  });

  test("an acceptance ends the series of rejections", async () => {
    const world = createWorld();
    for (const decision of ["spoofface", "realface"]) {
      await nameDevice(world, await settleBeforeDevice(world, decision));
    }
    assert.equal(guardOf(world)?.rejectionsInARow, 0);
  });
});
