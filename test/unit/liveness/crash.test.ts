import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type OpenedSession, openSession } from "../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { makeImage } from "../../fixtures/images.ts";
import { runTimerAfter } from "../fakes/app.ts";
import { stopOn } from "../fakes/calls.ts";
import { play, realFace } from "../fakes/face-service.ts";
import type { Scenario } from "../fakes/kill-points.ts";
import { binding, creating, deleting, erasing, repeating, settling, testScenario } from "../fakes/kill-points.ts";
import { emptyWorld, testInterleavings } from "../fakes/moments.ts";
import type { Process, World } from "../fakes/world.ts";
import { assertNothingStored, command, createWorld, sessionAt, trusted } from "../fakes/world.ts";

const device = "a-device";
/** The id of the first session at the service. */
const firstSessionId = "5e551011-0000-4000-8000-000000000001";

/** Runs the operation of a scenario in a new process. */
const again = <T>({ operate }: Scenario<T>, world: World) => operate(world.start().deps, world);

/** Runs the timer until the longest retention has ended. */
async function outlive(world: World): Promise<void> {
  await runTimerAfter(world, { hours: 1 }, {}, { hours: 50 }, {}, { days: 91 }, {});
  // The service deletes sessions by itself after 48 hours.
  world.service.live.clear();
}

function assertNothingIsLeft(world: World): void {
  assertNothingStored(world);
  assert.equal(world.service.live.size, 0);
}

async function assertFindable(world: World, { record }: OpenedSession): Promise<void> {
  const { sessions } = world.start().deps;
  assert.ok(world.service.live.has(record.sessionId));
  assert.equal((await sessions.find(record.sessionId))?.record.creationId, record.creationId);
  const { items } = await sessions.ofDevice(device, 100);
  assert.ok(items.some(({ sessionId }) => sessionId === record.sessionId));
}

/** Asserts that the creation has opened the only session of the device that was not revoked. */
async function assertOnlyOpen(world: World, opened: OpenedSession): Promise<void> {
  await assertFindable(world, opened);
  const { items } = await world.start().deps.sessions.ofDevice(device, 100);
  const open = items.filter(({ status }) => status !== "Canceled").map(({ sessionId }) => sessionId);
  assert.deepEqual(open, [opened.created.sessionId]);
}

for (const [what, scenario, earlier] of [
  ["openSession", creating, []],
  ["openSession repeated with the same idempotency key", repeating, [firstSessionId]],
] as const) {
  describe(`${what}, interrupted and repeated`, async () => {
    await testScenario(scenario, "leaves one session, whose token was returned", async (world, interrupted) => {
      world.advance({ seconds: 31 });
      const last = await again(scenario, world);
      await assertOnlyOpen(world, last);
      const delivered = [...("value" in interrupted ? [interrupted.value] : []), last];
      const ids = new Set([...earlier, ...delivered.map(({ created }) => created.sessionId)]);
      assert.deepEqual(
        [...ids].filter((id) => world.service.live.has(id)),
        [last.created.sessionId],
      );
      assert.equal(JSON.stringify(world.everything()).includes("secret-token"), false);
      await outlive(world);
      assertNothingIsLeft(world);
    });
  });
}

test("crash of a repetition after taking the key over, then an attempt -> SessionAlreadyUsed", async () => {
  const world = createWorld();
  const create = ({ deps }: Process) => openSession(deps, { ...command(), idempotencyKey: "once" });
  await create(world.start());
  const first = sessionAt(world);
  // The first transaction conflicts with the key row, the second with the guard, the third takes the key over.
  const crashed = world.start(stopOn("sessions.transact", "after", 3));
  await crashed.attempt(() => create(crashed));
  play(world.service, first, realFace());
  world.advance({ seconds: 31 });
  for (let count = 0; count < 2; count += 1) {
    await assert.rejects(create(world.start()), { code: "SessionAlreadyUsed" });
  }
});

describe("settleSession, interrupted and repeated", async () => {
  await testScenario(settling, "one outcome, every attempt and one rejection recorded", async (world) => {
    const settle = () => settleSession(world.start().deps, trusted, sessionAt(world), { digest: "service-digest" });
    const record = await settle();
    assert.deepEqual([record.decision, record.reasons, record.attempts], ["rejected", ["SpoofDetected"], 2]);
    assert.deepEqual(await settle(), record);
    const { sessions, devices } = world.start().deps;
    const stored = (await sessions.find(record.sessionId)) ?? assert.fail();
    assert.equal((await sessions.auditEntries(stored)).length, 2);
    assert.equal((await devices.guardOf(stored))?.guard.rejectionsInARow, 1);
  });
});

describe("binding a session to its device, interrupted and repeated", async () => {
  await testScenario(binding, "moves all rows of the session once", async (world) => {
    await again(binding, world);
    const record = world.record();
    assert.deepEqual([record.decision, record.deviceCorrelationId], ["rejected", device]);
    const guard = world.tables.guards.get(device, "g_alice")?.value;
    assert.deepEqual(guard?.recent, [record.createdOn], "the guard counts the session once");
    await eraseDevice(world.start().deps, device);
    // The interrupted request has left an entry for its event, which was not recorded.
    await runTimerAfter(world, { minutes: 11 });
    assertNothingIsLeft(world);
  });
});

describe("deleteSession, interrupted", async () => {
  await testScenario(deleting, "a repetition completes the deletion", async (world, outcome) => {
    assert.ok(!("value" in outcome));
    const wasRevoked = world.service.live.size === 0;
    const { sessionId } = world.record();
    const remove = (deps: Process["deps"]) => deleteSession(deps, trusted, "livenessWithVerify", sessionId);
    const repeated = await world.start().attempt(remove);
    // The repetition finds no session only if the service has revoked it.
    if ("error" in repeated) assert.ok(wasRevoked);
    assert.partialDeepStrictEqual(world.record(), {
      status: "Canceled",
      final: true,
      decision: "rejected",
      attempts: 2,
    });
    assert.equal(world.tables.entries.all().length, 2);
    assert.equal(world.service.live.size, 0);
    assert.notEqual(world.tables.pointers.all()[0]?.value.prunedOn, undefined);
  });
});

describe("eraseDevice, interrupted and repeated", async () => {
  await testScenario(erasing, "a repetition completes the erasure", async (world) => {
    await again(erasing, world);
    // The session of the crashed creation has no record, and no client has its token.
    for (const [sessionId, { createdMs }] of world.service.live) {
      assert.equal(createdMs, world.now());
      world.service.live.delete(sessionId);
    }
    assertNothingIsLeft(world);
  });
});

describe("eraseDevice during openSession", async () => {
  const create = ({ deps }: Process) => openSession(deps, command({ image: { bytes: makeImage() } }));
  const erase = (world: World) => eraseDevice(world.start().deps, device);
  const title = "erased {} -> either CreationConflict and no rows, or a complete session";
  await testInterleavings(title, emptyWorld, create, erase, async (world, outcome, _, call) => {
    if (call.endsWith(", sessionids.put")) {
      // The pointer is written in parallel with the commit. If it is written after the erasure, it alone is left, and the timer removes it.
      assert.deepEqual([world.tables.records.all(), world.tables.pointers.all().length], [[], 1]);
      await outlive(world);
    } else if ("value" in outcome) {
      await assertFindable(world, outcome.value);
      await erase(world);
    } else {
      assert.ok("error" in outcome);
      assert.equal((outcome.error as { code?: string }).code, "CreationConflict");
    }
    assertNothingIsLeft(world);
  });
});
