import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { drain, type MaintainDeps } from "../../../../src/liveness/retain/maintain.ts";
import { failOn, type Hook } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { type Interleaving, interleavingsOf } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

/** One run of the timer in a new process. */
function run(world: World, options: Partial<MaintainDeps> = {}, hook?: Hook) {
  return drain(world.start(hook).maintenance(options), world.now() + 60_000);
}

/** One run of the timer in the given process. */
const drainOnce = ({ maintenance }: Process, world: World) => drain(maintenance(), world.now() + 60_000);

async function outlive(world: World): Promise<void> {
  for (const days of [3, 90]) {
    world.advance({ days });
    assert.equal((await run(world)).failed, 0);
  }
  assert.deepEqual(world.everything(), createWorld().everything());
}

describe("session bound to its device during a run", async () => {
  /** The client reports the device only when it settles. */
  async function arrange(): Promise<{ world: World; sessionId: string }> {
    const world = createWorld();
    const { record } = await seedSession(world, { setInClient: true, uploads: true });
    play(world.service, record.sessionId, realFace());
    world.advance({ minutes: 12 });
    return { world, sessionId: record.sessionId };
  }
  const settle = (world: World, sessionId: string) =>
    settleSession(world.start().deps, trusted, sessionId, { deviceCorrelationId: "a-device" });

  const notBound: Interleaving = { name: "after the run", run: () => () => undefined };
  const interleavings = await interleavingsOf(async () => (await arrange()).world, drainOnce);
  for (const interleaving of [...interleavings, notBound]) {
    test(`bound ${interleaving.name} -> collected, pruned and purged`, async () => {
      const { world, sessionId } = await arrange();
      const summary = await run(
        world,
        {},
        interleaving.run(() => settle(world, sessionId)),
      );
      assert.equal(summary.failed, 0);
      assert.equal((await settle(world, sessionId)).decision, "accepted");
      assert.equal(world.record().deviceCorrelationId, "a-device");
      assert.equal(world.blobs.images.size, 1);
      await run(world);
      await outlive(world);
    });
  }

  test("bound after collecting or pruning -> later phases find the session by its id", async () => {
    for (const late of [{ hours: 1 }, { days: 3 }]) {
      const { world, sessionId } = await arrange();
      await run(world);
      world.advance(late);
      await run(world);
      await settle(world, sessionId);
      await outlive(world);
    }
  });
});

describe("eraseDevice during a run", async () => {
  const phases = { collecting: { minutes: 12 }, pruning: { days: 2 }, purging: { days: 90 } };

  for (const [what, time] of Object.entries(phases)) {
    const arrange = async () => {
      const world = createWorld();
      await seedSession(world, { uploads: true });
      world.advance({ minutes: 12, seconds: -1 });
      if (what !== "collecting") {
        world.advance({ seconds: 1 });
        await run(world);
      }
      if (what === "purging") {
        world.advance({ days: 2 });
        await run(world);
      }
      world.advance(time);
      return world;
    };
    const erase = ({ deps }: Process) => eraseDevice(deps, "a-device");
    for (const interleaving of await interleavingsOf(arrange, erase)) {
      test(`${what} ${interleaving.name} of the erasure -> leaves no rows`, async () => {
        const world = await arrange();
        await erase(world.start(interleaving.run(() => run(world))));
        await run(world);
        assert.deepEqual(world.everything(), createWorld().everything());
      });
    }
  }

  test("the run writes an expiry row just before the erasure removes the session -> leaves no rows", async () => {
    const world = createWorld();
    await seedSession(world);
    world.advance({ minutes: 12 });
    const [hasRead, mayWrite] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { deps } = world.start();
    const timer = run(world, {
      schedule: {
        ...deps.schedule,
        move: async (moves) => {
          hasRead.resolve();
          await mayWrite.promise;
          return deps.schedule.move(moves);
        },
      },
    });
    await hasRead.promise;
    const eraser = world.start().deps;
    const purge = async (...session: Parameters<typeof eraser.removals.purge>) => {
      mayWrite.resolve();
      await timer;
      await eraser.removals.purge(...session);
    };
    await eraseDevice({ ...eraser, removals: { ...eraser.removals, purge } }, "a-device");
    assert.deepEqual(world.everything(), createWorld().everything());
  });

  test("the expiry row of a failed session was moved -> removes the row", async () => {
    const world = createWorld();
    await seedSession(world);
    world.advance({ minutes: 12 });
    const failing = world.start(failOn("face.get"));
    await drain(failing.maintenance(), world.now() + 60_000);
    await eraseDevice(world.start().deps, "a-device");
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

/** A session that has no pointer and is to be pruned. */
async function duePruneWithoutPointer() {
  const world = createWorld();
  const { record } = await seedSession(world);
  world.tables.pointers.remove(record.sessionId, record.sessionId);
  world.advance({ minutes: 12 });
  await run(world);
  world.advance({ days: 2 });
  return { world, record };
}

describe("session without a pointer, as after a crashed creation", () => {
  test("pruned -> gets a pointer, which is purged with the session", async () => {
    const { world, record } = await duePruneWithoutPointer();
    await run(world);
    const prunedOn = new Date(world.now()).toISOString();
    assert.equal((await world.start().deps.sessions.find(record.sessionId))?.prunedOn, prunedOn);
    await outlive(world);
  });
});

describe("session without a pointer whose device is erased during pruning", async () => {
  const arrange = async () => (await duePruneWithoutPointer()).world;
  for (const interleaving of await interleavingsOf(arrange, drainOnce)) {
    test(`erased ${interleaving.name} of the run -> leaves no rows`, async () => {
      const world = await arrange();
      await run(
        world,
        {},
        interleaving.run(() => eraseDevice(world.start().deps, "a-device")),
      );
      assert.deepEqual(world.everything(), createWorld().everything());
    });
  }
});

describe("session due for several phases", () => {
  test("outcome retention shorter than session retention -> pruned and purged in one run", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { uploads: true });
    play(world.service, record.sessionId, realFace());
    const options = { retention: { sessionHours: 48, outcomeDays: 1 } };
    world.advance({ minutes: 12 });
    await run(world, options);
    assert.equal(world.record().decision, "accepted");
    world.advance({ hours: 24, minutes: -12 });
    const { pruned, purged } = await run(world, options);
    assert.deepEqual([pruned, purged, world.service.live.size], [1, 1, 0]);
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("retention that was lengthened", () => {
  test("rows scheduled under the shorter retention -> due under the longer one", async () => {
    const world = createWorld();
    await seedSession(world, { uploads: true });
    world.advance({ minutes: 12 });
    const short = { retention: { sessionHours: 24, outcomeDays: 3 } };
    await run(world, short);
    world.advance({ hours: 24 });
    assert.deepEqual([(await run(world)).pruned, world.blobs.images.size], [0, 1]);
    world.advance({ hours: 24 });
    assert.deepEqual([(await run(world, short)).pruned, world.blobs.images.size], [1, 0]);
    world.advance({ hours: 24 });
    assert.deepEqual([(await run(world)).purged, world.tables.records.all().length], [0, 1]);
    await outlive(world);
  });
});

describe("expiry row without the fields of its session", () => {
  test("phase prune, outcome not recorded -> collects first and keeps session and image until they are due", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { uploads: true });
    play(world.service, record.sessionId, realFace());
    const [row] = world.tables.expiry.all();
    assert.ok(row);
    world.tables.expiry.put(row.partition, row.row, { ...row.value, phase: "prune" });
    world.advance({ hours: 1 });
    const { collected, pruned } = await run(world);
    assert.deepEqual([collected, pruned, world.record().decision], [1, 0, "accepted"]);
    assert.deepEqual([world.service.live.size, world.blobs.images.size], [1, 1], "pruning is not due");
    await outlive(world);
  });
});
