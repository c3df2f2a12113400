import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { listUserSessions } from "../../../../src/liveness/result/visibility.ts";
import { eraseUser } from "../../../../src/liveness/retain/erase-user.ts";
import { command, createWorld, trusted, type World } from "../../fakes/world.ts";

/** A signed-in user who knows the id of another user names it in creations. */
const victim = "victims-id";
const alice: Caller = { trusted: false, owner: "alice" };
const mallory: Caller = { trusted: false, owner: "mallory" };

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
  test("are limited as all its creations: an entry is written only for those that are admitted", async () => {
    const world = createWorld();
    const { limits } = world.start().deps;
    assert.equal((await fill(world, mallory)).length, limits.ownerCreations);
    assert.equal(world.storage.users.all().length, limits.ownerCreations);
  });

  test("use up no places of the user, of its devices or of services, and lock nothing", async () => {
    const world = createWorld();
    await fill(world, mallory);
    await open(world, alice, "alices-device");
    await open(world, trusted, "alices-device");
  });

  test("neither change nor hide what the user sees; pages are filled with own sessions", async () => {
    const world = createWorld();
    const first = await open(world, alice, "alices-device");
    const strange = await fill(world, mallory);
    const second = await open(world, alice, "alices-device");
    assert.deepEqual(idsOf(await listed(world, alice)), [second, first]);
    const { users } = world.start().deps;
    const { items } = await users.page(victim, { top: 2, owner: "alice" });
    assert.equal(items.length, 2);
    assert.deepEqual(idsOf(await listed(world, mallory)), strange.toReversed());
  });

  test("are visible to services with their owner, by which services distinguish them from the user's", async () => {
    const world = createWorld();
    await open(world, mallory, "a-device");
    await open(world, alice, "a-device");
    const owners = (await listed(world, trusted)).map(({ owner }) => owner);
    assert.deepEqual(owners, ["alice", "mallory"]);
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
