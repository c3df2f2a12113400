import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type OpenedSession, openSession } from "../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { makeImage } from "../../fixtures/images.ts";
import { runTimer } from "../fakes/app.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { emptyWorld, interleave, interruptionsOf } from "../fakes/moments.ts";
import { seedSession } from "../fakes/seed.ts";
import { command, createWorld, type Process, trusted, type World } from "../fakes/world.ts";

const device = "a-device";

/** Lets the timer run until the longest retention is over. */
async function outlive(world: World): Promise<void> {
  for (const time of [{ hours: 1 }, { hours: 50 }, { days: 91 }]) {
    world.advance(time);
    for (let run = 0; run < 2; run += 1) await runTimer(world.start());
  }
  // What the service alone still knew, it has forgotten by itself.
  world.service.live.clear();
}

function assertNothingIsLeft(world: World, what: string): void {
  for (const [table, rows] of Object.entries(world.everything())) assert.deepEqual(rows, [], `${table} after ${what}`);
  assert.equal(world.service.live.size, 0, what);
}

async function assertFindable(world: World, { record }: OpenedSession, what: string): Promise<void> {
  const { sessions } = world.start().deps;
  assert.ok(world.service.live.has(record.sessionId), `alive after ${what}`);
  assert.equal((await sessions.find(record.sessionId))?.record.creationId, record.creationId, what);
  const { items } = await sessions.ofDevice(device, 100);
  assert.ok(
    items.some(({ sessionId }) => sessionId === record.sessionId),
    what,
  );
}

describe("creating, interrupted", async () => {
  const asked = command({
    image: { bytes: makeImage() },
    idempotencyKey: "once",
  } as Parameters<typeof command>[0]);
  const create = ({ deps }: Process) => openSession(deps, asked);

  for (const { name, hook } of await interruptionsOf(emptyWorld, create)) {
    test(`leaves one session whose token was handed out: ${name}`, async () => {
      const world = createWorld();
      const first = await world.start(hook).attempt((deps) => openSession(deps, asked));
      const delivered = "value" in first ? [first.value] : [];
      world.advance({ seconds: 31 });
      const repeated = await openSession(world.start().deps, asked);
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

    test(`leaves nothing for good when nobody repeats it: ${name}`, async () => {
      const world = createWorld();
      await world.start(hook).attempt((deps) => openSession(deps, asked));
      await outlive(world);
      assertNothingIsLeft(world, name);
    });
  }
});

describe("repeating a creation, interrupted", async () => {
  const asked = command({ idempotencyKey: "once" } as Parameters<typeof command>[0]);
  const arrange = async () => {
    const world = createWorld();
    await openSession(world.start().deps, asked);
    return world;
  };

  for (const { name, hook } of await interruptionsOf(arrange, ({ deps }) => openSession(deps, asked))) {
    test(`answers a session in the end, and never lets two live: ${name}`, async () => {
      const world = await arrange();
      const [first] = [...world.service.live.keys()];
      const second = await world.start(hook).attempt((deps) => openSession(deps, asked));
      world.advance({ seconds: 31 });
      const last = await openSession(world.start().deps, asked);
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

  test("stays with the session whose device was quicker than the repeat after a crash", async () => {
    const world = await arrange();
    const [first] = [...world.service.live.keys()];
    // Its first transaction finds the key, the second finds the guard, and the third takes the key over.
    const crashed = world.start(({ name, nth, when }) =>
      name === "sessions.transact" && nth === 3 && when === "after" ? "stop" : undefined,
    );
    await crashed.attempt((deps) => openSession(deps, asked));
    play(world.service, first ?? assert.fail(), realFace());
    world.advance({ seconds: 31 });
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(openSession(world.start().deps, asked), { code: "SessionAlreadyUsed" });
    }
  });
});

describe("settling, interrupted", async () => {
  const rejected = realFace({ livenessDecision: "spoofface" });
  const arrange = async () => {
    const world = createWorld();
    const { record } = await seedSession(world);
    play(world.service, record.sessionId, failedAttempt());
    play(world.service, record.sessionId, rejected);
    return world;
  };
  const told = { digest: "service-digest" };
  const settle = ({ deps }: Process, world: World) => settleSession(deps, trusted, world.record().sessionId, told);

  for (const { name, hook } of await interruptionsOf(arrange, settle)) {
    test(`records one outcome, every attempt and one rejection: ${name}`, async () => {
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

describe("binding a session to its device, interrupted", async () => {
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
    test(`moves the session once and whole: ${name}`, async () => {
      const world = await arrange();
      const process = world.start(hook);
      await process.attempt(() => settle(process, sessionOf(world)));
      const record = await settle(world.start(), sessionOf(world));
      assert.deepEqual([record.decision, record.deviceCorrelationId], ["accepted", device]);
      assert.equal(world.record().sessionId, record.sessionId, "there is one record, in the device's partition");
      const guard = world.tables.guards.get(device, "g")?.value;
      assert.deepEqual(guard?.recent, [record.createdOn], "it is counted there once");
      await eraseDevice(world.start().deps, device);
      assertNothingIsLeft(world, name);
    });
  }
});

describe("erasing, interrupted", async () => {
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
    // One creation has crashed on its way to the service.
    const crashed = world.start(({ name, when }) => (name === "face.create" && when === "after" ? "stop" : undefined));
    await crashed.attempt((others) => openSession(others, command({ image: { bytes } })));
    return world;
  };
  const erase = ({ deps }: Process) => eraseDevice(deps, device);

  for (const { name, hook } of await interruptionsOf(arrange, erase)) {
    test(`is complete when it is repeated: ${name}`, async () => {
      const world = await arrange();
      await world.start(hook).attempt((deps) => eraseDevice(deps, device));
      await eraseDevice(world.start().deps, device);
      // The crashed creation's session has no record here, and its token was never handed out.
      for (const [sessionId, { createdMs }] of world.service.live) {
        assert.equal(createdMs, world.now());
        world.service.live.delete(sessionId);
      }
      assertNothingIsLeft(world, name);
    });
  }
});

describe("erasing while a session is being created", async () => {
  const asked = command({ image: { bytes: makeImage() } });
  const world = createWorld();
  const counted = world.start();
  await openSession(counted.deps, asked);

  for (let turn = 1; turn <= counted.calls.names.length; turn += 1) {
    test(`leaves no trace of the device, or a session from afterwards: before call ${turn}`, async () => {
      const world = createWorld();
      const erase = () => eraseDevice(world.start().deps, device);
      const outcome = await world.start(interleave(turn, erase)).attempt((deps) => openSession(deps, asked));
      if (counted.calls.names[turn - 1] === "sessionids.put") {
        // The pointer is on its way beside the commit. Where it comes after an erasure of both, it alone is left, and the timer removes it.
        assert.deepEqual([world.tables.records.all(), world.tables.pointers.all().length], [[], 1]);
        await outlive(world);
      } else if ("value" in outcome) {
        await assertFindable(world, outcome.value, `turn ${turn}`);
        await erase();
      } else {
        assert.ok("error" in outcome);
        assert.equal((outcome.error as { code?: string }).code, "CreationConflict");
      }
      assertNothingIsLeft(world, `turn ${turn}`);
    });
  }
});
