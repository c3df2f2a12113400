import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type OpenedSession, openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { eraseUser } from "../../../../src/liveness/retain/erase-user.ts";
import { resultOf } from "../../fakes/calls.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { arranged, userScenarios } from "../../fakes/kill-points.ts";
import { drainOnce } from "../../fakes/maintenance.ts";
import { emptyWorld, interleavingsOf, testInterleavings } from "../../fakes/moments.ts";
import { dueWorld } from "../../fakes/seed.ts";
import type { Process, World } from "../../fakes/world.ts";
import { assertNothingStored, command, createWorld, sessionAt, tracesOf, trusted } from "../../fakes/world.ts";

type Operate = (process: Process, world: World) => Promise<unknown>;

/** A session owned by alice with two attempts, due for collecting. */
const dueSession = () =>
  dueWorld({ uploads: true, owner: "alice" }, failedAttempt(), realFace({ sessionImageId: "an-image" }));

const kind = "livenessWithVerify";
const collectAndPrune = { retention: { sessionHours: 0, outcomeDays: 90 } };

const operations: [string, Operate][] = [
  ["settleSession", ({ deps }, world) => settleSession(deps, trusted, sessionAt(world), { digest: "service-digest" })],
  ["getSession", ({ deps }, world) => getSession(deps, trusted, kind, sessionAt(world))],
  ["deleteSession", ({ deps }, world) => deleteSession(deps, trusted, kind, sessionAt(world))],
  ["collecting and pruning", (process, world) => drainOnce(process, world, collectAndPrune)],
];

for (const [what, operate] of operations) {
  describe(`eraseDevice during ${what}`, async () => {
    const erase = (world: World) => eraseDevice(world.start().deps, "a-device");
    await testInterleavings("erased {} -> leaves no rows of the device", dueSession, operate, erase, (world) => {
      assertNothingStored(world);
      assert.equal(world.service.live.size, 0);
    });
  });
}

test("eraseDevice ends although a user opens sessions for the device continuously", async () => {
  const world = await dueSession();
  const stranger = { trusted: false, owner: "mallory" } as const;
  const opened: string[] = [];
  const { deps } = world.start(async ({ name, when }) => {
    // One session at a time: the next one as soon as the last one is erased.
    const isErased = opened.length === 0 || !world.service.live.has(opened.at(-1) ?? "");
    if (name !== "sessions.query" || when !== "before" || !isErased) return undefined;
    world.advance({ minutes: 2 });
    const { record } = await openSession(world.start().deps, command({ caller: stranger }));
    opened.push(record.sessionId);
    return undefined;
  });
  const before = sessionAt(world);
  await eraseDevice(deps, "a-device");
  assert.ok(opened.length >= 10, `${opened.length} sessions`);
  assert.equal(await world.start().deps.sessions.find(before), undefined);
  assert.equal(world.service.live.has(before), false);
});

const user = "a-user";

/** The session of a creation whose token was returned. */
const deliveredOf = (outcome: object) =>
  "value" in outcome ? (outcome.value as Partial<OpenedSession> | undefined)?.created?.sessionId : undefined;

/** Asserts that the next erasure finds a delivered session that is left, and that nothing of the user is left then. */
async function assertErasable(world: World, delivered: string | undefined, isLeft: boolean): Promise<void> {
  assert.equal((await eraseUser(world.start().deps, user)).sessions, Number(isLeft));
  assert.equal(delivered !== undefined && world.service.live.has(delivered), false);
  assert.deepEqual(tracesOf(world, user), {});
}

for (const scenario of userScenarios) {
  const operate: Operate = ({ deps }, world) => scenario.operate(deps, world);
  const erase: Operate = ({ deps }) => eraseUser(deps, user);

  describe(`eraseUser during ${scenario.what}`, async () => {
    const earlier = new WeakMap<World, Set<string>>();
    const arrange = async () => {
      const world = await arranged(scenario);
      earlier.set(world, new Set(world.service.live.keys()));
      return world;
    };
    const eraseElsewhere = (world: World) => erase(world.start(), world);
    const title = "erased {} -> only a session that was created later is left, and the next erasure finds it";
    await testInterleavings(title, arrange, operate, eraseElsewhere, async (world, outcome) => {
      const delivered = deliveredOf(outcome);
      const isNew = delivered !== undefined && !earlier.get(world)?.has(delivered);
      await assertErasable(world, delivered, isNew && world.service.live.has(delivered));
    });
  });

  describe(`${scenario.what}, during eraseUser`, async () => {
    const operateElsewhere = (world: World) => {
      const other = world.start();
      return other.attempt(() => operate(other, world));
    };
    const arrange = () => arranged(scenario);
    const title = "{} -> the erasure removes it, or the next one";
    await testInterleavings(title, arrange, erase, operateElsewhere, async (world, outcome, other) => {
      resultOf(outcome);
      const delivered = deliveredOf(other);
      await assertErasable(world, delivered, delivered !== undefined && world.service.live.has(delivered));
    });
  });
}

/**
 * Runs an operation up to its call `paused`, then an erasure of the user up to its call `number`, then the operation and
 * the erasure to their ends.
 *
 * @returns `isPast`: whether the erasure has fewer calls than `number`.
 */
async function interlock(world: World, operate: Operate, paused: number, number: number) {
  const [reached, resumed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const operating = world.start(({ number: call, when }) => {
    if (call !== paused || when !== "before") return undefined;
    reached.resolve();
    return resumed.promise.then(() => undefined);
  });
  const operation = operating.attempt(() => operate(operating, world));
  await reached.promise;
  let isPast = true;
  const erasing = world.start(({ number: call, when }) => {
    if (call !== number || when !== "before") return undefined;
    isPast = false;
    resumed.resolve();
    return operation.then(() => undefined);
  });
  const { sessions } = await eraseUser(erasing.deps, user);
  resumed.resolve();
  return { outcome: await operation, sessions, isPast };
}

describe("a creation and an erasure of its user, interleaved at every pair of their calls", async () => {
  const open: Operate = ({ deps }) => openSession(deps, command({ request: { userCorrelationId: user } }));
  for (const { number: paused, name } of await interleavingsOf(emptyWorld, open)) {
    test(`creation stopped ${name} -> CreationConflict, or a session that this erasure or the next one removes`, async () => {
      for (let number = 1, isPast = false; !isPast; number += 1) {
        const world = createWorld();
        const result = await interlock(world, open, paused, number);
        ({ isPast } = result);
        const { outcome, sessions } = result;
        if ("error" in outcome) assert.equal((outcome.error as { code?: string }).code, "CreationConflict");
        else assert.ok(deliveredOf(outcome));
        const left = (await eraseUser(world.start().deps, user)).sessions;
        assert.equal(sessions + left, "error" in outcome ? 0 : 1, `erasure stopped at its call ${number}`);
        assert.equal(world.service.live.size, 0);
        assert.deepEqual(tracesOf(world, user), {});
      }
    });
  }
});

// What changes the entries of existing sessions. The delivered tokens are older than the erasure, which has to find them.
for (const scenario of userScenarios.filter(({ changesEntries }) => changesEntries)) {
  const operate: Operate = ({ deps }, world) => scenario.operate(deps, world);
  describe(`${scenario.what}, interleaved with an erasure of the user at every pair of their calls`, async () => {
    for (const { number: paused, name } of await interleavingsOf(() => arranged(scenario), operate)) {
      test(`stopped ${name} -> leaves nothing of the user and no session at the service`, async () => {
        for (let number = 1, isPast = false; !isPast; number += 1) {
          const world = await arranged(scenario);
          const earlier = [...world.service.live.keys()].filter((id) => world.tables.pointers.get(id, id));
          ({ isPast } = await interlock(world, operate, paused, number));
          const situation = `erasure stopped at its call ${number}`;
          for (const sessionId of earlier) assert.equal(world.service.live.has(sessionId), false, situation);
          assert.deepEqual(tracesOf(world, user), {}, situation);
        }
      });
    }
  });
}
