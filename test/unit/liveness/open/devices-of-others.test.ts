import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { interleavingsOf } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { command, createWorld, type Process, startOfTime, trusted, type World } from "../../fakes/world.ts";

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
    await assert.rejects(openSession(world.start().deps, command({ caller: callerOf("mallory") })), {
      code: "DeviceLockedOut",
    });
    await openSession(world.start().deps, command({ caller: callerOf("alice") }));
    await openSession(world.start().deps, command());
  });

  test("no guard row -> written with the rejection and its time", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { owner: "alice" });
    play(world.service, record.sessionId, spoof);
    world.tables.guards.remove(device, "g_alice");
    world.advance({ minutes: 1 });
    await settleSession(world.start().deps, trusted, record.sessionId, {});
    const changedOn = new Date(startOfTime + 60_000).toISOString();
    assert.deepEqual(guardsOf(world), { g_alice: { recent: [], rejectionsInARow: 1, changedOn } });
  });
});

describe("session whose device is set in the client", async () => {
  const arrange = async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { setInClient: true, owner: "alice" });
    play(world.service, record.sessionId, spoof);
    world.advance({ minutes: 1 });
    return { world, record };
  };
  const settle = (world: World, sessionId: string) =>
    settleSession(world.start().deps, callerOf("alice"), sessionId, { deviceCorrelationId: device });

  test("bound to a device -> creation and outcome counted once, for its owner", async () => {
    const { world, record } = await arrange();
    await settle(world, record.sessionId);
    const changedOn = new Date(startOfTime + 60_000).toISOString();
    const guard = { recent: [record.createdOn], rejectionsInARow: 1, changedOn };
    assert.deepEqual(guardsOf(world), { g_alice: guard });
    await settle(world, record.sessionId);
    assert.deepEqual(guardsOf(world), { g_alice: guard });
  });

  const bind = ({ deps }: Process, world: World) =>
    settleSession(deps, trusted, world.record().sessionId, { deviceCorrelationId: device });
  for (const { name, run } of await interleavingsOf(async () => (await arrange()).world, bind)) {
    test(`bound and erased by another process ${name} -> leaves no rows`, async () => {
      const { world, record } = await arrange();
      const bindAndErase = async () => {
        await settle(world, record.sessionId);
        await eraseDevice(world.start().deps, device);
      };
      const process = world.start(run(bindAndErase));
      await process.attempt(() => bind(process, world));
      assert.deepEqual(world.everything(), createWorld().everything());
    });
  }
});
