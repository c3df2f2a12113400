import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import { type Caller, services } from "../../../../src/liveness/model/caller.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { failOn, type Hook, InjectedError } from "../../fakes/calls.ts";
import { tokenOf } from "../../fakes/face-service.ts";
import { command, createWorld, startOfTime, trusted, type World } from "../../fakes/world.ts";

const device = "a-device";
const alice: Caller = { trusted: false, owner: "alice" };
const callers: [string, Caller][] = [
  ["a service", trusted],
  ["a user", alice],
];

const askedBy = (caller: Caller) => ({ ...command({ caller }), idempotencyKey: "once" });
const rowOf = ({ trusted: isService, owner }: Caller) => (isService ? "g" : `g_${owner}`);
const guardOf = (world: World, caller: Caller) => world.tables.guards.get(device, rowOf(caller))?.value;
const ownGuardOf = (world: World) => world.tables.guards.get("!owner_alice", "g")?.value;

function started(world: World, limits: object = {}, hook?: Hook) {
  const { deps } = world.start(hook);
  return { ...deps, limits: { ...deps.limits, ...limits } };
}

/** All that is stored but for the times at which guards were written: a user's own guard is written and put back. */
function everythingOf(world: World): string {
  return JSON.stringify(world.everything(), (name, value) => (name === "changedOn" ? undefined : value));
}

/** How many places are taken: in the device's guard, and in a user's own. */
function placesOf(world: World, caller: Caller): number[] {
  const taken = [guardOf(world, caller)?.recent.length ?? 0];
  return caller.trusted ? taken : [...taken, ownGuardOf(world)?.recent.length ?? 0];
}
const all = (caller: Caller, count: number) => (caller.trusted ? [count] : [count, count]);

/** A world in which the caller has opened a session, a second ago. */
async function opened(caller: Caller): Promise<World> {
  const world = createWorld();
  await openSession(world.start().deps, askedBy(caller));
  world.advance({ seconds: 1 });
  return world;
}

for (const [who, caller] of callers) {
  describe(`a repeat by ${who} that opens another session`, () => {
    test("takes the places of a creation", async () => {
      const world = await opened(caller);
      for (const count of [2, 3]) {
        await openSession(world.start().deps, askedBy(caller));
        assert.deepEqual(placesOf(world, caller), all(caller, count));
        assert.equal(world.service.live.size, 1);
        world.advance({ seconds: 1 });
      }
    });

    test("is refused past the limit, and leaves session, key and guards as they were", async () => {
      const world = await opened(caller);
      const before = everythingOf(world);
      const refused = openSession(started(world, { creations: 1 }), askedBy(caller));
      await assert.rejects(refused, { status: 429, retryAfter: "599" });
      assert.equal(everythingOf(world), before);
      assert.equal(world.service.live.size, 1);
    });

    test("is refused while the device is locked out for the caller", async () => {
      const world = await opened(caller);
      const lockedUntil = new Date(startOfTime + 60_000).toISOString();
      const guard = guardOf(world, caller) ?? assert.fail();
      world.tables.guards.put(device, rowOf(caller), { ...guard, rejectionsInARow: 5, lockedUntil });
      const before = everythingOf(world);
      await assert.rejects(openSession(world.start().deps, askedBy(caller)), { status: 403, code: "DeviceLockedOut" });
      assert.equal(everythingOf(world), before);
      assert.equal(world.service.live.size, 1);
    });

    test("takes places also where the request before it has crashed", async () => {
      const world = createWorld();
      const crashed = world.start(({ name }) => (name === "face.create" ? "stop" : undefined));
      assert.deepEqual(await crashed.attempt((deps) => openSession(deps, askedBy(caller))), { stopped: true });
      world.advance({ seconds: 31 });
      await assert.rejects(openSession(started(world, { creations: 1 }), askedBy(caller)), { status: 429 });
      await openSession(world.start().deps, askedBy(caller));
      assert.deepEqual(placesOf(world, caller), all(caller, 2));
    });

    test("gives its places back where the session before it cannot be revoked, and is found again by its key", async () => {
      const world = await opened(caller);
      await assert.rejects(openSession(started(world, {}, failOn("face.revoke")), askedBy(caller)), InjectedError);
      assert.deepEqual(placesOf(world, caller), all(caller, 1));
      world.advance({ seconds: 31 });
      await openSession(world.start().deps, askedBy(caller));
      assert.deepEqual(placesOf(world, caller), all(caller, 2));
      assert.equal(world.service.live.size, 1);
    });

    test("takes none where another repeat is quicker", async () => {
      const world = await opened(caller);
      const before = placesOf(world, caller);
      // Beside the reads of the key row, what is left to do is to take it over.
      let isDone = false;
      const hook: Hook = ({ name, when }) => {
        if (name !== "face.get" || when !== "after" || isDone) return undefined;
        isDone = true;
        return openSession(world.start().deps, askedBy(caller)).then(() => undefined);
      };
      await assert.rejects(openSession(started(world, {}, hook), askedBy(caller)), { code: "CreationInProgress" });
      assert.deepEqual(
        placesOf(world, caller),
        before.map((count) => count + 1),
      );
    });
  });

  describe(`a repeat by ${who} that is answered with the same session`, () => {
    test("takes no place, and asks for none", async () => {
      const world = await opened(caller);
      for (const [sessionId, { state }] of world.service.live) state.authToken = tokenOf(sessionId);
      const before = everythingOf(world);
      const limits = { creations: 1, ownerCreations: 1 };
      const { created } = await openSession(started(world, limits), askedBy(caller));
      assert.ok(world.service.live.has(created.sessionId));
      assert.equal(everythingOf(world), before);
    });
  });

  describe(`a creation by ${who} that the service does not carry out`, () => {
    for (const status of [400, 403, 404, 413]) {
      test(`has used its places when it is refused with ${status}, and leaves no key`, async () => {
        const world = createWorld();
        const hook: Hook = ({ name }) => (name === "face.create" ? new ApiError(status, "Refused", "No.") : undefined);
        await assert.rejects(openSession(started(world, {}, hook), askedBy(caller)), { status });
        assert.deepEqual(placesOf(world, caller), all(caller, 1));
        assert.deepEqual(world.tables.keys.all(), []);
        assert.deepEqual(world.tables.expiry.all(), []);
      });
    }

    for (const status of [408, 429, 500, 502, 503, 504]) {
      test(`gets its places back when it fails with ${status}`, async () => {
        const world = createWorld();
        const nothing = world.everything();
        const hook: Hook = ({ name }) => (name === "face.create" ? new ApiError(status, "Failed", "No.") : undefined);
        await assert.rejects(openSession(started(world, {}, hook), askedBy(caller)), { status });
        assert.deepEqual(world.everything(), nothing);
      });
    }
  });

  test(`a creation by ${who} that storage does not carry out gets its places back`, async () => {
    for (const [name, nth] of [
      ["expiry.put", 1],
      ["sessions.transact", caller.trusted ? 2 : 3],
    ] as const) {
      const world = createWorld();
      const process = world.start(failOn(name, "before", nth));
      await assert.rejects(openSession(process.deps, askedBy(caller)), InjectedError, name);
      assert.deepEqual(placesOf(world, caller), all(caller, 0), name);
      assert.deepEqual(world.tables.keys.all(), [], name);
      assert.equal(world.service.live.size, 0);
    }
  });
}

describe("a user's own limit", () => {
  test("holds for repeats that open another session, and leaves session, key and guards as they were", async () => {
    const world = await opened(alice);
    const before = everythingOf(world);
    await assert.rejects(openSession(started(world, { ownerCreations: 1 }), askedBy(alice)), { status: 429 });
    assert.equal(everythingOf(world), before);
    assert.equal(world.service.live.size, 1);
  });

  test("is not used up by what the device's limit refuses", async () => {
    const world = await opened(alice);
    await assert.rejects(openSession(started(world, { creations: 1 }), { ...askedBy(alice), idempotencyKey: "other" }));
    assert.deepEqual(placesOf(world, alice), [1, 1]);
  });

  test("does not hold for a user who comes with a service's key: the session counts as a service's", async () => {
    const world = createWorld();
    const caller = { ...trusted, owner: "alice" };
    const { record } = await openSession(started(world, { ownerCreations: 1 }), command({ caller }));
    await openSession(started(world, { ownerCreations: 1 }), command({ caller }));
    assert.equal(record.countedFor, services);
    assert.deepEqual(
      [guardOf(world, trusted)?.recent.length, guardOf(world, alice), ownGuardOf(world)],
      [2, undefined, undefined],
    );
  });
});

describe("a creation whose device is set in the client", () => {
  test("leaves no guard of its own when the service refuses it, and has used the user's place", async () => {
    const world = createWorld();
    const refusal = new ApiError(400, "Refused", "No.");
    const deps = started(world, {}, ({ name }) => (name === "face.create" ? refusal : undefined));
    const { deviceCorrelationId: _, ...request } = command().request;
    const asked = { ...command({ caller: alice }), request: { ...request, deviceCorrelationIdSetInClient: true } };
    const allowing = { ...deps, policy: { ...deps.policy, allowDeviceSetInClient: true } };
    await assert.rejects(openSession(allowing, asked), refusal);
    assert.deepEqual(
      world.tables.guards.all().map(({ partition, value }) => [partition, value.recent.length]),
      [["!owner_alice", 1]],
    );
  });
});
