import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { type OpenedSession, openSession } from "../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { makeImage } from "../../fixtures/images.ts";
import { runTimer } from "../fakes/app.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { emptyWorld, testInterleavings, testInterruptions } from "../fakes/moments.ts";
import { seedSession, seedWorld } from "../fakes/seed.ts";
import {
  assertNothingStored,
  command,
  createWorld,
  type Process,
  sessionAt,
  trusted,
  type World,
} from "../fakes/world.ts";

const device = "a-device";
const image = { bytes: makeImage() };
/** The id of the first session at the service. */
const firstSessionId = "5e551011-0000-4000-8000-000000000001";

/** Runs the timer until the longest retention has ended. */
async function outlive(world: World): Promise<void> {
  for (const time of [{ hours: 1 }, { hours: 50 }, { days: 91 }]) {
    world.advance(time);
    for (let run = 0; run < 2; run += 1) await runTimer(world.start());
  }
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

describe("openSession, interrupted and repeated", async () => {
  const creation = { ...command({ image }), idempotencyKey: "once" };
  const create = ({ deps }: Process) => openSession(deps, creation);
  await testInterruptions("leaves one session, whose token was returned", emptyWorld, create, async (world, first) => {
    world.advance({ seconds: 31 });
    const repeated = await create(world.start());
    await assertOnlyOpen(world, repeated);
    const delivered = "value" in first ? [first.value, repeated] : [repeated];
    const ids = new Set(delivered.map(({ created }) => created.sessionId));
    assert.deepEqual(
      [...ids].filter((id) => world.service.live.has(id)),
      [repeated.created.sessionId],
    );
    assert.equal(JSON.stringify(world.everything()).includes("secret-token"), false);
    await outlive(world);
    assertNothingIsLeft(world);
  });
});

describe("openSession repeated with the same idempotency key, interrupted", async () => {
  const creation = { ...command(), idempotencyKey: "once" };
  const create = ({ deps }: Process) => openSession(deps, creation);
  const arrange = async () => {
    const world = createWorld();
    await create(world.start());
    return world;
  };

  await testInterruptions(
    "the next repetition returns the only live session",
    arrange,
    create,
    async (world, second) => {
      world.advance({ seconds: 31 });
      const last = await create(world.start());
      await assertOnlyOpen(world, last);
      const delivered = [firstSessionId, ...("value" in second ? [second.value.created.sessionId] : [])];
      for (const sessionId of delivered) assert.equal(world.service.live.has(sessionId), false);
      await outlive(world);
      assertNothingIsLeft(world);
    },
  );

  test("crash after taking the key over, then an attempt -> SessionAlreadyUsed", async () => {
    const world = await arrange();
    const first = sessionAt(world);
    // The first transaction conflicts with the key row, the second with the guard, the third takes the key over.
    const crashed = world.start(({ name, nth, when }) =>
      name === "sessions.transact" && nth === 3 && when === "after" ? "stop" : undefined,
    );
    await crashed.attempt(() => create(crashed));
    play(world.service, first, realFace());
    world.advance({ seconds: 31 });
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(create(world.start()), { code: "SessionAlreadyUsed" });
    }
  });
});

describe("settleSession, interrupted and repeated", async () => {
  const rejected = realFace({ livenessDecision: "spoofface" });
  const arrange = async () => (await seedWorld({}, failedAttempt(), rejected)).world;
  const report = { digest: "service-digest" };
  const settle = ({ deps }: Process, world: World) => settleSession(deps, trusted, sessionAt(world), report);

  await testInterruptions("one outcome, every attempt and one rejection recorded", arrange, settle, async (world) => {
    const record = await settle(world.start(), world);
    assert.deepEqual([record.decision, record.reasons, record.attempts], ["rejected", ["SpoofDetected"], 2]);
    assert.deepEqual(await settle(world.start(), world), record);
    const { sessions, devices } = world.start().deps;
    const stored = (await sessions.find(record.sessionId)) ?? assert.fail();
    assert.equal((await sessions.auditEntries(stored)).length, 2);
    assert.equal((await devices.guardOf(stored))?.guard.rejectionsInARow, 1);
  });
});

describe("binding a session to its device, interrupted and repeated", async () => {
  const arrange = async () => (await seedWorld({ setInClient: true }, realFace())).world;
  const settle = ({ deps }: Process, world: World) =>
    settleSession(deps, trusted, sessionAt(world), { deviceCorrelationId: device });

  await testInterruptions("moves all rows of the session once", arrange, settle, async (world) => {
    const record = await settle(world.start(), world);
    assert.deepEqual([record.decision, record.deviceCorrelationId], ["accepted", device]);
    assert.equal(world.record().sessionId, record.sessionId, "the only record is in the partition of the device");
    const guard = world.tables.guards.get(device, "g")?.value;
    assert.deepEqual(guard?.recent, [record.createdOn], "the guard counts the session once");
    await eraseDevice(world.start().deps, device);
    // The interrupted request has left an entry for its event, which was not recorded.
    world.advance({ minutes: 11 });
    await runTimer(world.start());
    assertNothingIsLeft(world);
  });
});

describe("eraseDevice, interrupted and repeated", async () => {
  const arrange = async () => {
    const { world, record } = await seedWorld({ uploads: true }, realFace());
    const { deps } = world.start();
    await settleSession(deps, trusted, record.sessionId, {});
    await seedSession(world);
    await deps.devices.bindImage(device, "held/passport", record.createdOn);
    const facts = inspectImage(image.bytes);
    await deps.images.put("held/passport", { ...image, facts, deviceCorrelationId: device });
    // A creation crashed after the service had opened its session.
    const crashed = world.start(({ name, when }) => (name === "face.create" && when === "after" ? "stop" : undefined));
    await crashed.attempt((crashedDeps) => openSession(crashedDeps, command({ image })));
    return world;
  };
  const erase = ({ deps }: Process) => eraseDevice(deps, device);

  await testInterruptions("a repetition completes the erasure", arrange, erase, async (world) => {
    await erase(world.start());
    // The session of the crashed creation has no record, and no client has its token.
    for (const [sessionId, { createdMs }] of world.service.live) {
      assert.equal(createdMs, world.now());
      world.service.live.delete(sessionId);
    }
    assertNothingIsLeft(world);
  });
});

describe("eraseDevice during openSession", async () => {
  const create = ({ deps }: Process) => openSession(deps, command({ image }));
  const erase = (world: World) => eraseDevice(world.start().deps, device);
  const title = "erased {} -> either CreationConflict and no rows, or a complete session";
  await testInterleavings(title, emptyWorld, create, erase, async (world, outcome, call) => {
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
