import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { listUserSessions } from "../../../../src/liveness/result/visibility.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { eraseUser } from "../../../../src/liveness/retain/erase-user.ts";
import { realFace } from "../../fakes/face-service.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { seedSession, seedWorld } from "../../fakes/seed.ts";
import type { Process, World } from "../../fakes/world.ts";
import { assertNothingStored, command, createWorld, sessionAt, startOfTime, trusted } from "../../fakes/world.ts";

const device = "a-device";
const spoof = realFace({ livenessDecision: "spoofface" });
const alice: Caller = { trusted: false, owner: "alice" };
const mallory: Caller = { trusted: false, owner: "mallory" };

const guardsOf = ({ tables }: World) => {
  const guards = tables.guards.all().filter(({ partition }) => partition === device);
  return Object.fromEntries(guards.map(({ row, value }) => [row, value]));
};

describe("rejections of a device used by several owners", () => {
  test("rejected sessions -> counted and locked out for their owner only", async () => {
    const world = createWorld();
    for (const owner of ["mallory", "mallory", "alice"]) {
      const { record } = await seedSession(world, { owner }, spoof);
      const { deps } = world.start();
      const limits = { ...deps.limits, lockoutRejections: 2 };
      await settleSession({ ...deps, limits }, trusted, record.sessionId, {});
    }
    const { g_mallory, g_alice, g: services } = guardsOf(world);
    assert.deepEqual([g_mallory?.rejectionsInARow, g_alice?.rejectionsInARow, services], [2, 1, undefined]);
    assert.ok(g_mallory?.lockedUntil);
    const refused = openSession(world.start().deps, command({ caller: mallory }));
    await assert.rejects(refused, { code: "DeviceLockedOut" });
    await openSession(world.start().deps, command({ caller: alice }));
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
      await settleAs(world, alice);
      assert.deepEqual(guardsOf(world), { g_alice: { recent: [createdOn], rejectionsInARow: 1, changedOn } });
    }
  });

  const title = "bound and erased by another process {} -> leaves no rows";
  const bind = (process: Process, world: World) => settleAs(world, trusted, process);
  const bindAndErase = async (world: World) => {
    await settleAs(world, alice);
    await eraseDevice(world.start().deps, device);
  };
  await testInterleavings(title, arrange, bind, bindAndErase, (world) => assertNothingStored(world));
});

/** A signed-in user who knows the id of another user names it in creations. */
const victim = "victims-id";

async function open(world: World, caller: Caller, device: string): Promise<string> {
  const request = { userCorrelationId: victim, deviceCorrelationId: device };
  const { record } = await openSession(world.start().deps, command({ caller, request }));
  world.advance({ seconds: 1 });
  return record.sessionId;
}

/** Creations until the limits refuse the next one. */
async function fill(world: World, caller: Caller): Promise<string[]> {
  const opened: string[] = [];
  for (let number = 0; ; number += 1) {
    const request = { userCorrelationId: victim, deviceCorrelationId: `${caller.owner}-${number}` };
    const outcome = await world.start().attempt((deps) => openSession(deps, command({ caller, request })));
    if (!("value" in outcome)) return opened;
    opened.push(outcome.value.record.sessionId);
    world.advance({ seconds: 1 });
  }
}

async function listed(world: World, caller: Caller) {
  const { items } = (await listUserSessions(world.start().deps, caller, victim, { top: 100 })) ?? assert.fail();
  return items;
}

const idsOf = (items: { sessionId: string }[]) => items.map(({ sessionId }) => sessionId);

describe("creations of a principal that name another's user id", () => {
  test("are limited as all its creations, use up no places of others, and neither change nor hide what the user sees", async () => {
    const world = createWorld();
    const { limits, users } = world.start().deps;
    const first = await open(world, alice, "alices-device");
    const strange = await fill(world, mallory);
    assert.equal(strange.length, limits.ownerCreations);
    assert.equal(world.storage.users.all().length, 1 + limits.ownerCreations, "entries of admitted creations only");
    const second = await open(world, alice, "alices-device");
    await open(world, trusted, "alices-device");
    assert.deepEqual(idsOf(await listed(world, alice)), [second, first]);
    const { items } = await users.page(victim, { top: 2, owner: "alice" });
    assert.equal(items.length, 2, "pages are filled with own sessions");
    assert.deepEqual(idsOf(await listed(world, mallory)), strange.toReversed());
  });

  test("while the user is erased -> neither prolong the erasure nor keep the user's sessions from it", async () => {
    const world = createWorld();
    const own = [await open(world, alice, "alices-device"), await open(world, mallory, "a-device")];
    let later = 0;
    // Each erased session gives its owner a place back.
    const process = world.start(async ({ name, when }) => {
      if (name === "users.remove" && when === "before") later += (await fill(world, mallory)).length;
      return undefined;
    });
    assert.deepEqual(await eraseUser(process.deps, victim), { sessions: 2 });
    for (const sessionId of own) assert.equal(world.service.live.has(sessionId), false);
    assert.ok(later > 0);
    assert.deepEqual(await eraseUser(world.start().deps, victim), { sessions: later });
    assert.equal(world.storage.users.all().length, 0);
  });
});
