import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { failOn, resultOf } from "../../fakes/calls.ts";
import { realFace } from "../../fakes/face-service.ts";
import { drainOnce, runMaintenance as run } from "../../fakes/maintenance.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { dueWorld, seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, type Process, sessionAt, trusted, type World } from "../../fakes/world.ts";

const erase = ({ deps }: Process) => eraseDevice(deps, "a-device");
const eraseElsewhere = (world: World) => erase(world.start());

async function outlive(world: World): Promise<void> {
  for (const days of [3, 90]) {
    world.advance({ days });
    assert.equal((await run(world)).summary.failed, 0);
  }
  assertNothingStored(world);
}

describe("session bound to its device during a run", async () => {
  /** The client reports the device only when it settles. */
  const arrange = () => dueWorld({ setInClient: true, uploads: true }, realFace());
  const settle = (world: World, sessionId = sessionAt(world)) =>
    settleSession(world.start().deps, trusted, sessionId, { deviceCorrelationId: "a-device" });
  const assertKept = async (world: World) => {
    assert.equal((await settle(world)).decision, "accepted");
    assert.equal(world.record().deviceCorrelationId, "a-device");
    assert.equal(world.blobs.images.size, 1);
    await run(world);
    await outlive(world);
  };

  const title = "bound {} -> collected, pruned and purged";
  await testInterleavings(title, arrange, drainOnce, settle, async (world, outcome) => {
    assert.equal(resultOf(outcome).failed, 0);
    await assertKept(world);
  });

  test("bound after the run, after collecting or after pruning -> later phases find the session by its id", async () => {
    for (const late of [{}, { hours: 1 }, { days: 3 }]) {
      const world = await arrange();
      const sessionId = sessionAt(world);
      await run(world);
      world.advance(late);
      await run(world);
      await settle(world, sessionId);
      await outlive(world);
    }
  });
});

describe("eraseDevice during a run", async () => {
  for (const [what, ...times] of [
    ["collecting", { minutes: 12 }],
    ["pruning", { minutes: 12 }, { days: 2 }],
    ["purging", { minutes: 12 }, { days: 2 }, { days: 90 }],
  ] as const) {
    const arrange = async () => {
      const { world } = await seedWorld({ uploads: true });
      for (const [index, time] of times.entries()) {
        if (index > 0) await run(world);
        world.advance(time);
      }
      return world;
    };
    const title = `${what} {} of the erasure -> leaves no rows`;
    await testInterleavings(title, arrange, erase, run, async (world, outcome) => {
      resultOf(outcome);
      await run(world);
      assertNothingStored(world);
    });
  }

  test("the run writes an expiry row just before the erasure removes the session -> leaves no rows", async () => {
    const world = await dueWorld();
    const [hasRead, mayWrite] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { schedule } = world.start().deps;
    const move: typeof schedule.move = async (moves) => {
      hasRead.resolve();
      await mayWrite.promise;
      return schedule.move(moves);
    };
    const timer = run(world, { schedule: { ...schedule, move } });
    await hasRead.promise;
    const eraser = world.start().deps;
    const purge = async (...session: Parameters<typeof eraser.removals.purge>) => {
      mayWrite.resolve();
      await timer;
      return eraser.removals.purge(...session);
    };
    await eraseDevice({ ...eraser, removals: { ...eraser.removals, purge } }, "a-device");
    assertNothingStored(world);
  });

  test("the expiry row of a failed session was moved -> removes the row", async () => {
    const world = await dueWorld();
    await run(world, {}, failOn("face.get"));
    await eraseElsewhere(world);
    assertNothingStored(world);
  });
});

describe("session without a pointer, as after a crashed creation", async () => {
  /** The session is to be collected. */
  async function arrange() {
    const { world, sessionId } = await seedWorld();
    world.tables.pointers.remove(sessionId, sessionId);
    world.advance({ minutes: 12 });
    return world;
  }

  test("collected -> gets a pointer, which is purged with the session", async () => {
    const world = await arrange();
    const { sessionId } = world.record();
    await run(world);
    assert.deepEqual((await world.start().deps.sessions.find(sessionId))?.record, world.record());
    await outlive(world);
  });

  const title = "device erased {} of the run that collects it -> leaves no rows";
  await testInterleavings(title, arrange, drainOnce, eraseElsewhere, (world, outcome) => {
    resultOf(outcome);
    assertNothingStored(world);
  });
});

describe("session due for several phases", () => {
  test("outcome retention shorter than session retention -> pruned and purged in one run", async () => {
    const world = await dueWorld({ uploads: true }, realFace());
    const options = { retention: { sessionHours: 48, outcomeDays: 1 } };
    await run(world, options);
    assert.equal(world.record().decision, "accepted");
    world.advance({ hours: 24, minutes: -12 });
    const { pruned, purged } = (await run(world, options)).summary;
    assert.deepEqual([pruned, purged, world.service.live.size], [1, 1, 0]);
    assertNothingStored(world);
  });

  test("retention was lengthened -> rows scheduled under the shorter one are due under the longer one", async () => {
    const world = await dueWorld({ uploads: true });
    const short = { retention: { sessionHours: 24, outcomeDays: 3 } };
    await run(world, short);
    world.advance({ hours: 24 });
    assert.deepEqual([(await run(world)).summary.pruned, world.blobs.images.size], [0, 1]);
    world.advance({ hours: 24 });
    assert.deepEqual([(await run(world, short)).summary.pruned, world.blobs.images.size], [1, 0]);
    world.advance({ hours: 24 });
    assert.deepEqual([(await run(world)).summary.purged, world.tables.records.all().length], [0, 1]);
    await outlive(world);
  });

  test("phase prune, outcome not recorded -> collects first and keeps session and image until they are due", async () => {
    const { world } = await seedWorld({ uploads: true }, realFace());
    const [row] = world.tables.expiry.all();
    assert.ok(row);
    world.tables.expiry.put(row.partition, row.row, { ...row.value, phase: "prune" });
    world.advance({ hours: 1 });
    const { collected, pruned } = (await run(world)).summary;
    assert.deepEqual([collected, pruned, world.record().decision], [1, 0, "accepted"]);
    assert.deepEqual([world.service.live.size, world.blobs.images.size], [1, 1], "pruning is not due");
    await outlive(world);
  });
});
