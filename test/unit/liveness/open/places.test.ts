import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../../src/errors.ts";
import { type Caller, services } from "../../../../src/liveness/model/caller.ts";
import { type OpenSessionDeps, openSession } from "../../../../src/liveness/open/open-session.ts";
import type { OpenSessionCommand } from "../../../../src/liveness/open/plan-session.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { failOn, type Hook, InjectedError, stopOn } from "../../fakes/calls.ts";
import { tokenOf } from "../../fakes/face-service.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import type { Process, World } from "../../fakes/world.ts";
import { assertNothingStored, command, createWorld, sessionAt, startOfTime, trusted } from "../../fakes/world.ts";

const device = "a-device";
const alice: Caller = { trusted: false, owner: "alice" };
const callers: [string, Caller][] = [
  ["a service", trusted],
  ["a user", alice],
];

const creationBy = (caller: Caller) => ({ ...command({ caller }), idempotencyKey: "once" });
const rowOf = ({ trusted: isService, owner }: Caller) => (isService ? "g" : `g_${owner}`);
const guardOf = (world: World, caller: Caller) => world.tables.guards.get(device, rowOf(caller))?.value;
const ownGuardOf = (world: World) => world.tables.guards.get("!owner_alice", "g")?.value;

const failing =
  (status: number): Hook =>
  ({ name }) =>
    name === "face.create" ? new ApiError(status, "Failed", "No.") : undefined;

function started(world: World, limits: object = {}, hook?: Hook) {
  const { deps } = world.start(hook);
  return { ...deps, limits: { ...deps.limits, ...limits } };
}

/** The same creation with the device set in the client, where that is allowed. */
function inClient(deps: OpenSessionDeps, creation: OpenSessionCommand): [OpenSessionDeps, OpenSessionCommand] {
  const { deviceCorrelationId: _, ...request } = creation.request;
  const policy = { ...deps.policy, allowDeviceSetInClient: true };
  return [
    { ...deps, policy },
    { ...creation, request: { ...request, deviceCorrelationIdSetInClient: true } },
  ];
}

/** All that is stored, without `changedOn`: a user's own guard is written and restored. */
function everythingOf(world: World): unknown {
  return JSON.parse(JSON.stringify(world.everything(), (name, value) => (name === "changedOn" ? undefined : value)));
}

/** Places taken: in the guard of the device and, for a user, in the user's own guard. */
function placesOf(world: World, caller: Caller): number[] {
  const taken = [guardOf(world, caller)?.recent.length ?? 0];
  return caller.trusted ? taken : [...taken, ownGuardOf(world)?.recent.length ?? 0];
}
const all = (caller: Caller, count: number) => (caller.trusted ? [count] : [count, count]);

/** A world in which the caller opened a session a second ago. */
async function opened(caller: Caller): Promise<World> {
  const world = createWorld();
  await openSession(world.start().deps, creationBy(caller));
  world.advance({ seconds: 1 });
  return world;
}

for (const [callerName, caller] of callers) {
  describe(`repetition by ${callerName} that opens a new session`, () => {
    test("within the limits -> takes the places of a creation", async () => {
      const world = await opened(caller);
      for (const count of [2, 3]) {
        await openSession(world.start().deps, creationBy(caller));
        assert.deepEqual(placesOf(world, caller), all(caller, count));
        assert.equal(world.service.live.size, 1);
        world.advance({ seconds: 1 });
      }
    });

    for (const [what, limits, refusal] of [
      ["device limit reached", { creations: 1 }, { status: 429, retryAfter: "599" }],
      ...(caller.trusted ? [] : [["own limit reached", { ownerCreations: 1 }, { status: 429 }] as const]),
      ["device locked out for the caller", {}, { status: 403, code: "DeviceLockedOut" }],
    ] as const) {
      test(`${what} -> ${refusal.status}, session, key and guards unchanged`, async () => {
        const world = await opened(caller);
        if (refusal.status === 403) {
          const lockedUntil = new Date(startOfTime + 60_000).toISOString();
          const guard = guardOf(world, caller) ?? assert.fail();
          world.tables.guards.put(device, rowOf(caller), { ...guard, rejectionsInARow: 5, lockedUntil });
        }
        const before = everythingOf(world);
        await assert.rejects(openSession(started(world, limits), creationBy(caller)), refusal);
        assert.deepEqual(everythingOf(world), before);
        assert.equal(world.service.live.size, 1);
      });
    }

    test("previous request crashed -> takes the places of a creation", async () => {
      const world = createWorld();
      const crashed = world.start(stopOn("face.create", "before"));
      assert.deepEqual(await crashed.attempt((deps) => openSession(deps, creationBy(caller))), { stopped: true });
      world.advance({ seconds: 31 });
      await assert.rejects(openSession(started(world, { creations: 1 }), creationBy(caller)), { status: 429 });
      await openSession(world.start().deps, creationBy(caller));
      assert.deepEqual(placesOf(world, caller), all(caller, 2));
    });

    test("previous session cannot be revoked -> releases its places, and the next repetition succeeds", async () => {
      const world = await opened(caller);
      await assert.rejects(openSession(started(world, {}, failOn("face.revoke")), creationBy(caller)), InjectedError);
      assert.deepEqual(placesOf(world, caller), all(caller, 1));
      world.advance({ seconds: 31 });
      await openSession(world.start().deps, creationBy(caller));
      assert.deepEqual(placesOf(world, caller), all(caller, 2));
      assert.equal(world.service.live.size, 1);
    });

    test("concurrent repetition takes the key over first -> 409 CreationInProgress, no places taken", async () => {
      const world = await opened(caller);
      // At this call only the take-over of the key is left to do.
      let isDone = false;
      const hook: Hook = ({ name, when }) => {
        if (name !== "face.get" || when !== "after" || isDone) return undefined;
        isDone = true;
        return openSession(world.start().deps, creationBy(caller)).then(() => undefined);
      };
      await assert.rejects(openSession(started(world, {}, hook), creationBy(caller)), { code: "CreationInProgress" });
      assert.deepEqual(placesOf(world, caller), all(caller, 2));
    });
  });

  describe(`repetition by ${callerName} that returns the same session`, () => {
    test("limits reached -> succeeds without taking a place", async () => {
      const world = await opened(caller);
      for (const [sessionId, { state }] of world.service.live) state.authToken = tokenOf(sessionId);
      const before = everythingOf(world);
      const limits = { creations: 1, ownerCreations: 1 };
      const { created } = await openSession(started(world, limits), creationBy(caller));
      assert.ok(world.service.live.has(created.sessionId));
      assert.deepEqual(everythingOf(world), before);
    });
  });

  describe(`creation by ${callerName} that fails at the service`, () => {
    for (const status of [400, 403, 404, 413, 408, 429, 500, 502, 503, 504]) {
      const isRefused = [400, 403, 404, 413].includes(status);
      test(`with ${status} -> ${isRefused ? "keeps its places, leaves no key" : "releases its places"}`, async () => {
        const world = createWorld();
        await assert.rejects(openSession(started(world, {}, failing(status)), creationBy(caller)), { status });
        assert.deepEqual(placesOf(world, caller), all(caller, isRefused ? 1 : 0));
        assert.deepEqual([world.tables.keys.all(), world.tables.expiry.all()], [[], []]);
        if (!isRefused) assertNothingStored(world);
      });
    }
  });

  test(`creation by ${callerName} that fails in storage -> releases its places`, async () => {
    for (const [name, nth] of [
      ["expiry.put", 1],
      ["sessions.transact", caller.trusted ? 2 : 3],
    ] as const) {
      const world = createWorld();
      const process = world.start(failOn(name, "before", nth));
      await assert.rejects(openSession(process.deps, creationBy(caller)), InjectedError, name);
      assert.deepEqual(placesOf(world, caller), all(caller, 0), name);
      assert.deepEqual(world.tables.keys.all(), [], name);
      assert.equal(world.service.live.size, 0);
    }
  });
}

describe("limit of a user", () => {
  test("creation refused by the device limit -> the user's place is released", async () => {
    const world = await opened(alice);
    const other = { ...creationBy(alice), idempotencyKey: "other" };
    await assert.rejects(openSession(started(world, { creations: 1 }), other));
    assert.deepEqual(placesOf(world, alice), [1, 1]);
  });

  test("user with a client key -> counted for the services, no own limit", async () => {
    const world = createWorld();
    const caller = { ...trusted, owner: "alice" };
    const { record } = await openSession(started(world, { ownerCreations: 1 }), command({ caller }));
    await openSession(started(world, { ownerCreations: 1 }), command({ caller }));
    assert.equal(record.countedFor, services);
    assert.equal(guardOf(world, trusted)?.recent.length, 2);
    assert.deepEqual([guardOf(world, alice), ownGuardOf(world)], [undefined, undefined]);
  });

  test("creation whose device is set in the client, refused by the service -> only the user's place is kept", async () => {
    const world = createWorld();
    const deps = started(world, {}, failing(400));
    await assert.rejects(openSession(...inClient(deps, command({ caller: alice }))), { status: 400 });
    const counts = world.tables.guards.all().map(({ partition, value }) => [partition, value.recent.length]);
    assert.deepEqual(counts, [["!owner_alice", 1]]);
  });
});

describe("repetition by a service", async () => {
  const arrange = () => opened(trusted);
  const repeat = ({ deps }: Process) => openSession(deps, creationBy(trusted));
  const repeatElsewhere = (world: World) => {
    const process = world.start();
    return process.attempt(() => repeat(process));
  };
  const title = "replaced by another {} -> a new session or CreationInProgress, not SessionAlreadyUsed";
  await testInterleavings(title, arrange, repeat, repeatElsewhere, (world, outcome) => {
    if (!("value" in outcome)) {
      assert.ok("error" in outcome);
      assert.equal((outcome.error as { code?: string }).code, "CreationInProgress");
    }
    assert.equal(world.service.live.size, 1);
  });

  test("session deleted by its owner -> SessionAlreadyUsed", async () => {
    const world = await arrange();
    await deleteSession(world.start().deps, trusted, "liveness", sessionAt(world));
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(repeat(world.start()), { code: "SessionAlreadyUsed" });
    }
  });
});

test("idempotency key without a device, used by different callers -> one session for each caller", async () => {
  const world = createWorld();
  const different: Caller[] = [
    { trusted: true, clientName: "shop" },
    { trusted: true, clientName: "bank" },
    { trusted: false, owner: "shop" },
    { trusted: true, clientName: "shop", owner: "alice" },
  ];
  for (const caller of different) await openSession(...inClient(world.start().deps, creationBy(caller)));
  assert.equal(world.service.live.size, different.length);
});
