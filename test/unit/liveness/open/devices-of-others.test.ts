import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { seedSession, seedWorld } from "../../fakes/seed.ts";
import type { Process, World } from "../../fakes/world.ts";
import { assertNothingStored, command, createWorld, sessionAt, startOfTime, trusted } from "../../fakes/world.ts";

const device = "a-device";
const spoof = realFace({ livenessDecision: "spoofface" });
const callerOf = (owner: string) => ({ trusted: false, owner });

const guardsOf = ({ tables }: World) => {
  const guards = tables.guards.all().filter(({ partition }) => partition === device);
  return Object.fromEntries(guards.map(({ row, value }) => [row, value]));
};

describe("rejections of a device used by several owners", () => {
  test("rejected sessions -> counted and locked out for their owner only", async () => {
    const world = createWorld();
    for (const owner of ["mallory", "mallory", "alice"]) {
      const { record } = await seedSession(world, { owner });
      play(world.service, record.sessionId, spoof);
      const { deps } = world.start();
      const limits = { ...deps.limits, lockoutRejections: 2 };
      await settleSession({ ...deps, limits }, trusted, record.sessionId, {});
    }
    const { g_mallory: mallory, g_alice: alice, g: services } = guardsOf(world);
    assert.deepEqual([mallory?.rejectionsInARow, alice?.rejectionsInARow, services], [2, 1, undefined]);
    assert.ok(mallory?.lockedUntil);
    const refused = openSession(world.start().deps, command({ caller: callerOf("mallory") }));
    await assert.rejects(refused, { code: "DeviceLockedOut" });
    await openSession(world.start().deps, command({ caller: callerOf("alice") }));
    await openSession(world.start().deps, command());
  });

  test("no guard row -> written with the rejection and its time", async () => {
    const { world, record } = await seedWorld({ owner: "alice" }, spoof);
    world.tables.guards.remove(device, "g_alice");
    world.advance({ minutes: 1 });
    await settleSession(world.start().deps, trusted, record.sessionId, {});
    const changedOn = new Date(startOfTime + 60_000).toISOString();
    assert.deepEqual(guardsOf(world), { g_alice: { recent: [], rejectionsInARow: 1, changedOn } });
  });
});

describe("session whose device is set in the client", async () => {
  const arrange = async () => {
    const { world } = await seedWorld({ setInClient: true, owner: "alice" }, spoof);
    world.advance({ minutes: 1 });
    return world;
  };
  const settleAs = (world: World, caller: Caller, { deps } = world.start()) =>
    settleSession(deps, caller, sessionAt(world), { deviceCorrelationId: device });

  test("bound to a device -> creation and outcome counted once, for its owner", async () => {
    const world = await arrange();
    const { createdOn } = world.record();
    const changedOn = new Date(startOfTime + 60_000).toISOString();
    for (let count = 0; count < 2; count += 1) {
      await settleAs(world, callerOf("alice"));
      assert.deepEqual(guardsOf(world), { g_alice: { recent: [createdOn], rejectionsInARow: 1, changedOn } });
    }
  });

  const title = "bound and erased by another process {} -> leaves no rows";
  const bind = (process: Process, world: World) => settleAs(world, trusted, process);
  const bindAndErase = async (world: World) => {
    await settleAs(world, callerOf("alice"));
    await eraseDevice(world.start().deps, device);
  };
  await testInterleavings(title, arrange, bind, bindAndErase, (world) => assertNothingStored(world));
});
