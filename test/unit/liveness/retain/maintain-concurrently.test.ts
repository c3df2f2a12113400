import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { drain, type MaintainDeps } from "../../../../src/liveness/retain/maintain.ts";
import { failOn, type Hook } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { interleave } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, trusted, type World } from "../../fakes/world.ts";

/** Runs the timer, in a process of its own. */
function run(world: World, options: Partial<MaintainDeps> = {}, hook?: Hook) {
  return drain(world.start(hook).maintenance(options), world.now() + 60_000);
}

async function outlive(world: World): Promise<void> {
  for (const days of [3, 90]) {
    world.advance({ days });
    assert.equal((await run(world)).failed, 0);
  }
  assert.deepEqual(world.everything(), createWorld().everything());
}

describe("a session that is bound to its device while the timer works on it", () => {
  /** The device names itself to nobody but the app, which settles late. */
  async function arrange(): Promise<{ world: World; sessionId: string }> {
    const world = createWorld();
    const { record } = await seedSession(world, { setInClient: true, uploads: true });
    play(world.service, record.sessionId, realFace());
    world.advance({ minutes: 12 });
    return { world, sessionId: record.sessionId };
  }
  const settle = (world: World, sessionId: string) =>
    settleSession(world.start().deps, trusted, sessionId, { deviceCorrelationId: "a-device" });

  test("is collected, pruned and purged, whenever that was", async () => {
    const counted = await arrange();
    const process = counted.world.start();
    await drain(process.maintenance(), counted.world.now() + 60_000);
    for (let turn = 1; turn <= process.calls.names.length + 1; turn += 1) {
      const { world, sessionId } = await arrange();
      const hook = interleave(turn, () => settle(world, sessionId));
      const summary = await run(world, {}, hook);
      const what = `before call ${turn}, ${process.calls.names[turn - 1]}`;
      assert.equal(summary.failed, 0, what);
      assert.equal((await settle(world, sessionId)).decision, "accepted", what);
      assert.equal(world.record().deviceCorrelationId, "a-device", what);
      assert.equal(world.blobs.images.size, 1, what);
      await run(world);
      await outlive(world);
    }
  });

  test("is found by its id where its row no longer tells where it is", async () => {
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

describe("a device that is erased while the timer works on its session", () => {
  const phases = { collecting: { minutes: 12 }, pruning: { days: 2 }, purging: { days: 90 } };

  for (const [what, time] of Object.entries(phases)) {
    test(`leaves no row that names it: ${what} before any call of the erasure`, async () => {
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
      const process = (await arrange()).start();
      await eraseDevice(process.deps, "a-device");
      for (let turn = 1; turn <= process.calls.names.length; turn += 1) {
        const world = await arrange();
        await eraseDevice(world.start(interleave(turn, () => run(world))).deps, "a-device");
        await run(world);
        for (const [table, rows] of Object.entries(world.everything())) {
          assert.deepEqual(rows, [], `${table}, before call ${turn}, ${process.calls.names[turn - 1]}`);
        }
      }
    });
  }

  test("leaves no row either where the timer writes one while the erasure is about to remove the session", async () => {
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

  test("is found in the calendar wherever the row has gone", async () => {
    const world = createWorld();
    await seedSession(world);
    world.advance({ minutes: 12 });
    const failing = world.start(failOn("face.get"));
    await drain(failing.maintenance(), world.now() + 60_000);
    await eraseDevice(world.start().deps, "a-device");
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("a row that is there twice, as a run leaves it that ended in between", () => {
  test("does no harm", async () => {
    const world = createWorld();
    await seedSession(world, { uploads: true });
    const [old] = world.tables.expiry.all();
    world.advance({ minutes: 12 });
    for (const days of [0, 3, 90]) {
      world.advance({ days });
      const before = world.tables.expiry.all();
      await run(world);
      for (const { partition, row, value } of [...before, ...(old ? [old] : [])]) {
        world.tables.expiry.put(partition, row, value);
      }
      assert.equal((await run(world)).failed, 0);
    }
    await outlive(world);
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

describe("a session without a pointer, as a creation leaves it that ended in between", () => {
  test("gets one when it is pruned, and goes with it", async () => {
    const { world, record } = await duePruneWithoutPointer();
    await run(world);
    const prunedOn = new Date(world.now()).toISOString();
    assert.equal((await world.start().deps.sessions.find(record.sessionId))?.prunedOn, prunedOn);
    await outlive(world);
  });
});

describe("a session without a pointer whose device is erased while it is pruned", () => {
  test("leaves nothing that names it", async () => {
    const { world: counted } = await duePruneWithoutPointer();
    const process = counted.start();
    await drain(process.maintenance(), counted.now() + 60_000);
    assert.ok(process.calls.names.includes("sessionids.put"), "the pointer is written anew");
    for (let turn = 1; turn <= process.calls.names.length; turn += 1) {
      const { world } = await duePruneWithoutPointer();
      const erase = () => eraseDevice(world.start().deps, "a-device");
      await run(world, {}, interleave(turn, erase));
      assert.deepEqual(world.everything(), createWorld().everything(), `before call ${turn}`);
    }
  });
});

describe("several things that are due at once", () => {
  test("are done in one run, in their order", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { uploads: true });
    play(world.service, record.sessionId, realFace());
    world.advance({ days: 89 });
    const { collected, pruned, purged, due } = await run(world);
    assert.deepEqual([due, collected, pruned, purged], [1, 1, 1, 0]);
    world.advance({ days: 1 });
    assert.equal((await run(world)).purged, 1);
  });

  test("are all done, where the outcome is kept for less than the session", async () => {
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

describe("a longer retention", () => {
  test("holds for what was set down by a shorter one", async () => {
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

describe("a row that says no more than the design has it say", () => {
  test("is gone through from the beginning, whatever its phase", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { uploads: true });
    play(world.service, record.sessionId, realFace());
    const [row] = world.tables.expiry.all();
    assert.ok(row);
    world.tables.expiry.put(row.partition, row.row, { ...row.value, phase: "prune" });
    world.advance({ hours: 1 });
    const { collected, pruned } = await run(world);
    assert.deepEqual([collected, pruned, world.record().decision], [1, 0, "accepted"]);
    assert.deepEqual([world.service.live.size, world.blobs.images.size], [1, 1], "its time has not come");
    await outlive(world);
  });
});
