import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspectImage } from "../../../../src/liveness/images/inspect-image.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { drain } from "../../../../src/liveness/retain/maintain.ts";
import { type SweepRowsDeps, sweepRows } from "../../../../src/liveness/retain/sweep-rows.ts";
import { makeImage } from "../../../fixtures/images.ts";
import { failOn, type Hook, InjectedError, stopAt } from "../../fakes/calls.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, trusted, type World } from "../../fakes/world.ts";

type Time = Parameters<World["advance"]>[0];
type Failure = Parameters<SweepRowsDeps["onFailure"]>[0];

async function sweep(world: World, options: Partial<SweepRowsDeps> = {}, hook?: Hook) {
  const { deps, calls } = world.start(hook);
  const failures: Failure[] = [];
  const onFailure = (failure: Failure) => failures.push(failure);
  const { swept } = await sweepRows({ ...deps, onFailure, ...options }, world.now() + 60_000);
  return { swept, failures, names: calls.names };
}

const iso = (world: World) => new Date(world.now()).toISOString();
const rowsOf = (world: World) => world.storage.sessions.all().map(({ rowKey }) => rowKey);

/** A row of `sessions` that stands alone, as whatever ended halfway leaves it. */
function leave(world: World, rowKey: string, values: object, partitionKey = "a-device"): void {
  world.storage.sessions.put({ partitionKey, rowKey, ...values });
}

/** Sweeps before and after the moment at which a row has lost its use. */
async function assertRemovedAfter(world: World, time: Time): Promise<void> {
  const count = () => world.storage.sessions.all().length + world.storage.sessionIds.all().length;
  const before = count();
  world.advance(time);
  assert.deepEqual([(await sweep(world)).swept, count()], [0, before], "it may be needed until then");
  world.advance({ seconds: 1 });
  assert.equal((await sweep(world)).swept, 1);
  assert.equal(count(), before - 1);
}

describe("the key of a creation", () => {
  test("goes when its session, and the one that it replaces, have surely ended", async () => {
    const world = createWorld();
    leave(world, "k_1", { creationId: "1", leaseUntil: iso(world) });
    await assertRemovedAfter(world, { hours: 49 });
  });

  test("stays longer than the outcome of its session", async () => {
    const world = createWorld();
    leave(world, "k_1", { creationId: "1", sessionId: "s", leaseUntil: iso(world) });
    await assertRemovedAfter(world, { days: 91 });
  });
});

describe("a guard", () => {
  const none = { recent: "[]", rejectionsInARow: 0 };

  for (const [row, partition] of [
    ["g", "a-device"],
    ["g_alice", "a-device"],
    ["g", "!owner_alice"],
  ] as const) {
    test(`is removed an hour after the last session that it counts would have been purged: ${row} in ${partition}`, async () => {
      const world = createWorld();
      leave(world, row, { ...none, recent: JSON.stringify([iso(world)]) }, partition);
      await assertRemovedAfter(world, { hours: 90 * 24 + 1 });
    });
  }

  test("stays as long as a lock-out lasts", async () => {
    const world = createWorld();
    const lockedUntil = new Date(world.now() + 1_800_000).toISOString();
    leave(world, "g", { ...none, lockedUntil });
    world.advance({ seconds: 1799 });
    assert.equal((await sweep(world)).swept, 0);
    world.advance({ seconds: 1 });
    assert.equal((await sweep(world)).swept, 1);
  });

  test("stays with a run of rejections as long as an outcome does", async () => {
    const world = createWorld();
    leave(world, "g", { ...none, rejectionsInARow: 2, changedOn: iso(world) });
    await assertRemovedAfter(world, { days: 90 });
  });

  test("stays where it has been changed since it was read", async () => {
    const world = createWorld();
    leave(world, "g", none);
    const changed: Hook = ({ name, when }) => {
      if (name === "sessions.remove" && when === "before") leave(world, "g", { ...none, rejectionsInARow: 1 });
      return undefined;
    };
    const { swept, failures } = await sweep(world, {}, changed);
    assert.deepEqual([swept, failures, rowsOf(world)], [0, [], ["g"]]);
  });
});

describe("what belongs to sessions that are gone", () => {
  test("goes a day after the outcome would have: audit entries, many with one request", async () => {
    const world = createWorld();
    const { record, ...stored } = await seedSession(world);
    const { sessionId } = record;
    for (let number = 0; number < 3; number += 1) play(world.service, sessionId, realFace());
    await settleSession(world.start().deps, trusted, sessionId, {});
    const entries = world.storage.sessions.all().filter(({ rowKey }) => rowKey.startsWith("a_"));
    await world.start().deps.removals.purge({ record, ...stored });
    for (const { etag: _, ...entry } of entries) world.storage.sessions.put(entry);
    world.advance({ days: 91 });
    assert.equal((await sweep(world)).swept, 0);
    world.advance({ seconds: 1 });
    const { swept, names } = await sweep(world);
    assert.deepEqual([swept, rowsOf(world)], [3, []]);
    assert.equal(names.filter((name) => name === "sessions.transact").length, 1);
  });

  test("goes a day after the outcome would have: a pointer", async () => {
    const world = createWorld();
    const { partition, row, record } = await seedSession(world);
    for (const { partitionKey, rowKey } of world.storage.sessions.all())
      world.storage.sessions.remove(partitionKey, rowKey);
    assert.ok(world.tables.pointers.get(record.sessionId, record.sessionId)?.value.partition === partition && row);
    await assertRemovedAfter(world, { days: 91 });
  });

  test("goes a day after the outcome would have: the link of an image", async () => {
    const world = createWorld();
    await world.start().deps.sessionImages.link("an-image", "a-session");
    await assertRemovedAfter(world, { days: 91 });
  });
});

describe("the note of an image that is bound to a device", () => {
  const image = { bytes: makeImage(), facts: inspectImage(makeImage()) };

  test("goes where there is no such image", async () => {
    const world = createWorld();
    leave(world, "i_gone", { boundOn: iso(world) });
    await assertRemovedAfter(world, { hours: 1 });
  });

  test("stays with the image, and goes where that is another device's", async () => {
    const world = createWorld();
    const { images } = world.start().deps;
    await images.put("held/mine", { ...image, deviceCorrelationId: "a-device" });
    await images.put("held/moved", { ...image, deviceCorrelationId: "another" });
    await images.put("held/free", image);
    for (const name of ["mine", "moved", "free"]) leave(world, `i_${name}`, {});
    assert.equal((await sweep(world)).swept, 2);
    assert.deepEqual(rowsOf(world), ["i_mine"]);
  });
});

describe("a session that the calendar has lost", () => {
  async function lost(world: World, options: Parameters<typeof seedSession>[1] = {}) {
    const stored = await seedSession(world, options);
    for (const { partition, row } of world.tables.expiry.all()) world.storage.expiry.remove(partition, row);
    return stored;
  }

  test("is set down again when its token has ended an hour ago, and then collected", async () => {
    const world = createWorld();
    await lost(world);
    world.advance({ minutes: 70 });
    await sweep(world);
    assert.deepEqual(world.tables.expiry.all(), []);
    world.advance({ seconds: 1 });
    assert.equal((await sweep(world)).swept, 1);
    const { collected } = await drain(world.start().maintenance(), world.now() + 60_000);
    assert.deepEqual([collected, world.record().final], [1, true]);
    assert.equal((await sweep(world)).swept, 0);
  });

  test("is set down again when its outcome is too old, and then purged", async () => {
    const world = createWorld();
    const { partition, row } = await lost(world);
    const record = world.tables.records.get(partition, row)?.value ?? assert.fail();
    world.tables.records.put(partition, row, { ...record, final: true, decision: "accepted", reasons: ["RealFace"] });
    world.advance({ days: 90, hours: 1 });
    const swept = async () => (await sweep(world)).swept;
    await swept();
    assert.deepEqual(world.tables.expiry.all(), []);
    world.advance({ seconds: 1 });
    await swept();
    const { purged } = await drain(world.start().maintenance(), world.now() + 60_000);
    assert.equal(purged, 1);
    assert.deepEqual(world.everything(), createWorld().everything());
  });

  test("is not set down where it is only late, fails, or was set aside", async () => {
    const world = createWorld();
    await seedSession(world);
    world.advance({ hours: 3 });
    await sweep(world);
    assert.equal(world.tables.expiry.all().length, 1, "the timer has not come to it");
    for (let run = 0; run < 3; run += 1) {
      const failing = world.start(failOn("face.get")).maintenance();
      await drain(failing, world.now() + 60_000);
      assert.equal((await sweep(world)).swept, 0, `run ${run}`);
    }
    assert.equal(world.tables.expiry.all().length, 1);
  });

  test("may be due twice: nothing is done twice, and nothing is left", async () => {
    const world = createWorld();
    const stored = await seedSession(world, { uploads: true });
    const { place, record } = stored;
    const { creationId, createdOn } = record;
    play(world.service, record.sessionId, realFace({ livenessDecision: "spoofface" }));
    const { schedule, devices } = world.start().deps;
    world.advance({ minutes: 30 });
    const dueOn = iso(world);
    await schedule.put({ creationId, createdOn, place, phase: "collect", dueOn });
    assert.equal(world.tables.expiry.all().length, 2);
    for (const days of [0, 2, 90]) {
      world.advance({ days });
      const summary = await drain(world.start().maintenance({ concurrency: 2 }), world.now() + 60_000);
      assert.equal(summary.failed, 0);
      if (days === 0) assert.equal((await devices.guardOf(stored))?.guard.rejectionsInARow, 1);
    }
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("a session in use", () => {
  test("keeps all its rows as long as its outcome is kept", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { owner: "alice" });
    play(world.service, record.sessionId, realFace({ sessionImageId: "an-image" }));
    await settleSession(world.start().deps, trusted, record.sessionId, {});
    // A guard goes as soon as it counts nothing.
    const rows = () => rowsOf(world).filter((name) => !/^g(_|$)/.test(name));
    const names = () => [...rows(), ...world.storage.sessionIds.all().map(({ rowKey }) => rowKey)];
    const before = names();
    for (let hour = 0; hour < 90 * 24; hour += 6) {
      await drain(world.start().maintenance(), world.now() + 60_000);
      const { failures } = await sweep(world);
      assert.deepEqual([failures, names()], [[], before], `after ${hour} hours`);
      world.advance({ hours: 6 });
    }
    await drain(world.start().maintenance(), world.now() + 60_000);
    assert.deepEqual(world.everything(), createWorld().everything());
  });
});

describe("a walk", () => {
  /** Rows that have no use, more than one run goes through. */
  function many(count: number): World {
    const world = createWorld();
    for (let number = 0; number < count; number += 1) {
      leave(world, "g", { recent: "[]", rejectionsInARow: 0 }, `device-${String(number).padStart(5, "0")}`);
    }
    return world;
  }

  test("goes through five thousand rows in a run, and on from there in the next", async () => {
    const world = many(5001);
    const { swept, names } = await sweep(world);
    assert.equal(swept, 5000);
    assert.equal(names.filter((name) => name === "sessions.query").length, 5);
    assert.deepEqual([...world.blobs.bookmarks.keys()], ["sessions"]);
    assert.equal((await sweep(world)).swept, 1);
    assert.deepEqual([rowsOf(world), world.blobs.bookmarks.size], [[], 0], "no bookmark is left at the end");
  });

  test("goes on after a row that cannot be removed or read, and reports it", async () => {
    const world = many(3);
    leave(world, "g", { recent: "no JSON", rejectionsInARow: 0 }, "broken");
    let calls = 0;
    const failing: Hook = ({ name, when }) => {
      if (name !== "sessions.remove" || when !== "before") return undefined;
      calls += 1;
      return calls === 2 ? new InjectedError("injected") : undefined;
    };
    const { swept, failures } = await sweep(world, {}, failing);
    assert.deepEqual([swept, failures.length], [2, 2]);
    assert.ok(failures.every(({ table, row }) => table === "sessions" && row === "g"));
    assert.ok(failures.some(({ cause }) => cause instanceof InjectedError));
  });

  test("reports where it cannot read a table, and goes through the other", async () => {
    const world = createWorld();
    world.storage.sessionIds.put({ partitionKey: "s", rowKey: "s" });
    const { swept, failures } = await sweep(world, {}, failOn("sessions.query"));
    assert.deepEqual([swept, failures.map(({ table }) => table)], [1, ["sessions"]]);
  });

  test("ends at the deadline", async () => {
    const world = many(1500);
    const { storedRows } = world.start().deps;
    const { swept } = await sweep(world, {
      storedRows: {
        ...storedRows,
        remove: (some) => {
          world.advance({ seconds: 30 });
          return storedRows.remove(some);
        },
      },
    });
    assert.equal(swept, 200);
  });

  test("leaves rows of a kind that is not known here", async () => {
    const world = createWorld();
    leave(world, "x_1", {});
    world.advance({ days: 4000 });
    assert.deepEqual([(await sweep(world)).swept, rowsOf(world)], [0, ["x_1"]]);
  });

  test("may be stopped anywhere", async () => {
    const { names } = await sweep(many(4));
    for (let call = 1; call <= names.length; call += 1) {
      for (const when of ["before", "after"] as const) {
        const world = many(4);
        const deadline = world.now() + 60_000;
        await world
          .start(stopAt(call, when))
          .attempt((deps) => sweepRows({ ...deps, onFailure: () => assert.fail() }, deadline));
        await sweep(world);
        assert.deepEqual(world.everything(), createWorld().everything(), `${when} call ${call}`);
      }
    }
  });
});
