import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type OpenedSession, openSession } from "../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { makeImage } from "../../fixtures/images.ts";
import { runTimer } from "../fakes/app.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { emptyWorld, interleavingsOf, interruptionsOf } from "../fakes/moments.ts";
import { seedSession } from "../fakes/seed.ts";
import { command, createWorld, type Process, trusted, type World } from "../fakes/world.ts";

const device = "a-device";

/** Runs the timer until the longest retention has ended. */
async function outlive(world: World): Promise<void> {
  for (const time of [{ hours: 1 }, { hours: 50 }, { days: 91 }]) {
    world.advance(time);
    for (let run = 0; run < 2; run += 1) await runTimer(world.start());
  }
  // The service deletes sessions by itself after 48 hours.
  world.service.live.clear();
}

function assertNothingIsLeft(world: World, situation: string): void {
  for (const [table, rows] of Object.entries(world.everything()))
    assert.deepEqual(rows, [], `${table} after ${situation}`);
  assert.equal(world.service.live.size, 0, situation);
}

async function assertFindable(world: World, { record }: OpenedSession, situation: string): Promise<void> {
  const { sessions } = world.start().deps;
  assert.ok(world.service.live.has(record.sessionId), `alive after ${situation}`);
  assert.equal((await sessions.find(record.sessionId))?.record.creationId, record.creationId, situation);
  const { items } = await sessions.ofDevice(device, 100);
  assert.ok(
    items.some(({ sessionId }) => sessionId === record.sessionId),
    situation,
  );
}

describe("openSession, interrupted and repeated", async () => {
  const creation = command({
    image: { bytes: makeImage() },
    idempotencyKey: "once",
  } as Parameters<typeof command>[0]);
  const create = ({ deps }: Process) => openSession(deps, creation);

  for (const { name, hook } of await interruptionsOf(emptyWorld, create)) {
    test(`${name} -> leaves one session, whose token was returned`, async () => {
      const world = createWorld();
      const first = await world.start(hook).attempt((deps) => openSession(deps, creation));
      const delivered = "value" in first ? [first.value] : [];
      world.advance({ seconds: 31 });
      const repeated = await openSession(world.start().deps, creation);
      delivered.push(repeated);

      await assertFindable(world, repeated, name);
      const alive = delivered.filter(({ created }) => world.service.live.has(created.sessionId));
      assert.deepEqual(new Set(alive.map(({ created }) => created.sessionId)), new Set([repeated.created.sessionId]));
      const { items } = await world.start().deps.sessions.ofDevice(device, 100);
      const open = items.filter(({ status }) => status !== "Canceled");
      assert.deepEqual(
        open.map(({ sessionId }) => sessionId),
        [repeated.created.sessionId],
      );
      assert.equal(JSON.stringify(world.everything()).includes("secret-token"), false);

      await outlive(world);
      assertNothingIsLeft(world, name);
    });
  }
});

describe("openSession repeated with the same idempotency key, interrupted", async () => {
  const creation = command({ idempotencyKey: "once" } as Parameters<typeof command>[0]);
  const arrange = async () => {
    const world = createWorld();
    await openSession(world.start().deps, creation);
    return world;
  };

  for (const { name, hook } of await interruptionsOf(arrange, ({ deps }) => openSession(deps, creation))) {
    test(`${name} -> the next repetition returns the only live session`, async () => {
      const world = await arrange();
      const [first] = [...world.service.live.keys()];
      const second = await world.start(hook).attempt((deps) => openSession(deps, creation));
      world.advance({ seconds: 31 });
      const last = await openSession(world.start().deps, creation);
      await assertFindable(world, last, name);
      const delivered = [first, "value" in second ? second.value.created.sessionId : undefined];
      for (const sessionId of delivered) assert.equal(world.service.live.has(sessionId ?? ""), false, name);
      const { items } = await world.start().deps.sessions.ofDevice(device, 100);
      const open = items.filter(({ status }) => status !== "Canceled");
      assert.deepEqual(
        open.map(({ sessionId }) => sessionId),
        [last.created.sessionId],
      );
      await outlive(world);
      assertNothingIsLeft(world, name);
    });
  }

  test("crash after taking the key over, then an attempt -> SessionAlreadyUsed", async () => {
    const world = await arrange();
    const [first] = [...world.service.live.keys()];
    // The first transaction conflicts with the key row, the second with the guard, the third takes the key over.
    const crashed = world.start(({ name, nth, when }) =>
      name === "sessions.transact" && nth === 3 && when === "after" ? "stop" : undefined,
    );
    await crashed.attempt((deps) => openSession(deps, creation));
    play(world.service, first ?? assert.fail(), realFace());
    world.advance({ seconds: 31 });
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(openSession(world.start().deps, creation), { code: "SessionAlreadyUsed" });
    }
  });
});

describe("settleSession, interrupted and repeated", async () => {
  const rejected = realFace({ livenessDecision: "spoofface" });
  const arrange = async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    play(world.service, record.sessionId, failedAttempt());
    play(world.service, record.sessionId, rejected);
    return world;
  };
  const report = { digest: "service-digest" };
  const settle = ({ deps }: Process, world: World) => settleSession(deps, trusted, world.record().sessionId, report);

  for (const { name, hook } of await interruptionsOf(arrange, settle)) {
    test(`${name} -> records one outcome, every attempt and one rejection`, async () => {
      const world = await arrange();
      const process = world.start(hook);
      await process.attempt(() => settle(process, world));
      const record = await settle(world.start(), world);
      assert.deepEqual([record.decision, record.reasons, record.attempts], ["rejected", ["SpoofDetected"], 2]);
      assert.deepEqual(await settle(world.start(), world), record);
      const { sessions, devices } = world.start().deps;
      const stored = await sessions.find(record.sessionId);
      assert.ok(stored);
      assert.equal((await sessions.auditEntries(stored)).length, 2);
      assert.equal((await devices.guardOf(stored))?.guard.rejectionsInARow, 1);
    });
  }
});

describe("binding a session to its device, interrupted and repeated", async () => {
  const arrange = async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { setInClient: true });
    play(world.service, record.sessionId, realFace());
    return world;
  };
  const settle = ({ deps }: Process, sessionId: string) =>
    settleSession(deps, trusted, sessionId, { deviceCorrelationId: device });
  const sessionOf = (world: World) => [...world.service.live.keys()][0] ?? assert.fail();

  for (const { name, hook } of await interruptionsOf(arrange, (process, world) => settle(process, sessionOf(world)))) {
    test(`${name} -> moves all rows of the session once`, async () => {
      const world = await arrange();
      const process = world.start(hook);
      await process.attempt(() => settle(process, sessionOf(world)));
      const record = await settle(world.start(), sessionOf(world));
      assert.deepEqual([record.decision, record.deviceCorrelationId], ["accepted", device]);
      assert.equal(world.record().sessionId, record.sessionId, "the only record is in the partition of the device");
      const guard = world.tables.guards.get(device, "g")?.value;
      assert.deepEqual(guard?.recent, [record.createdOn], "the guard counts the session once");
      await eraseDevice(world.start().deps, device);
      assertNothingIsLeft(world, name);
    });
  }
});

describe("eraseDevice, interrupted and repeated", async () => {
  const arrange = async () => {
    const world = createWorld();
    const { deps } = world.start();
    const finished = await seedSession(world, { uploads: true });
    play(world.service, finished.record.sessionId, realFace());
    await settleSession(deps, trusted, finished.record.sessionId, {});
    await seedSession(world);
    await deps.devices.bindImage(device, "held/passport", finished.record.createdOn);
    const { record } = finished;
    const bytes = makeImage();
    const facts = {
      contentType: "image/jpeg",
      width: 200,
      height: 200,
      sha256: record.referenceImageHash ?? "",
    } as const;
    await deps.images.put("held/passport", { bytes, facts, deviceCorrelationId: device });
    // A creation crashed after the service had opened its session.
    const crashed = world.start(({ name, when }) => (name === "face.create" && when === "after" ? "stop" : undefined));
    await crashed.attempt((crashedDeps) => openSession(crashedDeps, command({ image: { bytes } })));
    return world;
  };
  const erase = ({ deps }: Process) => eraseDevice(deps, device);

  for (const { name, hook } of await interruptionsOf(arrange, erase)) {
    test(`${name} -> completes the erasure`, async () => {
      const world = await arrange();
      await world.start(hook).attempt((deps) => eraseDevice(deps, device));
      await eraseDevice(world.start().deps, device);
      // The session of the crashed creation has no record, and no client has its token.
      for (const [sessionId, { createdMs }] of world.service.live) {
        assert.equal(createdMs, world.now());
        world.service.live.delete(sessionId);
      }
      assertNothingIsLeft(world, name);
    });
  }
});

describe("eraseDevice during openSession", async () => {
  const creation = command({ image: { bytes: makeImage() } });
  const create = ({ deps }: Process) => openSession(deps, creation);
  for (const { name, run } of await interleavingsOf(emptyWorld, create)) {
    test(`erased ${name} -> either CreationConflict and no rows, or a complete session`, async () => {
      const world = createWorld();
      const erase = () => eraseDevice(world.start().deps, device);
      const outcome = await world.start(run(erase)).attempt((deps) => openSession(deps, creation));
      if (name.endsWith(", sessionids.put")) {
        // The pointer is written in parallel with the commit. If it is written after the erasure, it alone is left, and the timer removes it.
        assert.deepEqual([world.tables.records.all(), world.tables.pointers.all().length], [[], 1]);
        await outlive(world);
      } else if ("value" in outcome) {
        await assertFindable(world, outcome.value, name);
        await erase();
      } else {
        assert.ok("error" in outcome);
        assert.equal((outcome.error as { code?: string }).code, "CreationConflict");
      }
      assertNothingIsLeft(world, name);
    });
  }
});
