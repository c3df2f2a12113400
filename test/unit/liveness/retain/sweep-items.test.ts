import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspectImage } from "../../../../src/liveness/images/inspect-image.ts";
import type { Place } from "../../../../src/liveness/model/references.ts";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { type SweepItemsDeps, sweepItems } from "../../../../src/liveness/retain/sweep-items.ts";
import { makeImage } from "../../../fixtures/images.ts";
import { failOn, type Hook, InjectedError } from "../../fakes/calls.ts";
import { realFace } from "../../fakes/face-service.ts";
import { runMaintenance } from "../../fakes/maintenance.ts";
import { testInterruptions } from "../../fakes/moments.ts";
import { seedSession, seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, command, createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

type Time = Parameters<World["advance"]>[0];
/** Values of a guard that counts nothing. */
const noCounts = { recent: "[]", rejectionsInARow: 0 };
type Failure = Parameters<SweepItemsDeps["onFailure"]>[0];

async function sweep(world: World, options: Partial<SweepItemsDeps> = {}, hook?: Hook) {
  const { deps, calls } = world.start(hook);
  const failures: Failure[] = [];
  const onFailure = (failure: Failure) => failures.push(failure);
  const { swept } = await sweepItems({ ...deps, onFailure, ...options }, world.now() + 60_000);
  return { swept, failures, names: calls.names };
}

const iso = (world: World) => new Date(world.now()).toISOString();
const rowsOf = (world: World) => world.storage.sessions.all().map(({ rowKey }) => rowKey);

/** Writes one row of `sessions` without the rows that belong to it, as an interrupted operation leaves it. */
function leave(world: World, rowKey: string, values: object, partitionKey = "a-device"): void {
  world.storage.sessions.put({ partitionKey, rowKey, ...values });
}

const idOf = (more: object) => (world: World) =>
  leave(world, "k_1", { creationId: "1", leaseUntil: iso(world), ...more });
const guard = (more: (world: World) => object) => (world: World) => leave(world, "g", { ...noCounts, ...more(world) });
const recentGuard = (row: string, partition: string) => (world: World) =>
  leave(world, row, { ...noCounts, recent: JSON.stringify([iso(world)]) }, partition);
async function lostPointer(world: World): Promise<void> {
  const { sessionId } = (await seedSession(world)).record;
  for (const row of world.storage.sessions.all()) world.storage.sessions.remove(row.partitionKey, row.rowKey);
  assert.ok(world.tables.pointers.get(sessionId, sessionId));
}
const inHalfAnHour = (world: World) => new Date(world.now() + 1_800_000).toISOString();
const afterPurge = { hours: 90 * 24 + 1 };

/** Rows that are left alone, and the time after which a sweep removes them, not a second earlier. */
const lost: Record<string, [arrange: (world: World) => unknown, kept: Time]> = {
  "idempotency key that is not committed -> removed after its session and a replaced one": [idOf({}), { hours: 49 }],
  "committed idempotency key -> removed a day after the outcome retention": [idOf({ sessionId: "s" }), { days: 91 }],
  "guard of a device -> removed an hour after its sessions": [recentGuard("g", "a-device"), afterPurge],
  "guard of a user's device -> removed an hour after its sessions": [recentGuard("g_alice", "a-device"), afterPurge],
  "guard of a user -> removed an hour after its sessions": [recentGuard("g", "!owner_alice"), afterPurge],
  "guard of a locked-out device -> removed at the end of the lockout": [
    guard((world) => ({ lockedUntil: inHalfAnHour(world) })),
    { seconds: 1799 },
  ],
  "guard with rejections in a row -> removed after the outcome retention": [
    guard((world) => ({ rejectionsInARow: 2, changedOn: iso(world) })),
    { days: 90 },
  ],
  "pointer of a session that does not exist -> removed a day after the outcome retention": [lostPointer, { days: 91 }],
  "link of an attempt's image -> removed a day after the outcome retention": [
    (world) => world.start().deps.sessionImages.link("an-image", "a-session"),
    { days: 91 },
  ],
  "entry of a user without a session -> removed a day after the outcome retention": [
    (world) =>
      world.start().deps.users.put("u", { creationId: "c", createdOn: iso(world), place: "a-device/k_c" as Place }),
    { days: 91 },
  ],
  "note of a bound image that does not exist -> removed after an hour": [
    (world) => leave(world, "i_gone", { boundOn: iso(world) }),
    { hours: 1 },
  ],
};
for (const [title, [arrange, kept]] of Object.entries(lost)) {
  test(title, async () => {
    const world = createWorld();
    await arrange(world);
    const { sessions, sessionIds, users } = world.storage;
    const count = () => [sessions, sessionIds, users].flatMap((table) => table.all()).length;
    const before = count();
    world.advance(kept);
    assert.deepEqual([(await sweep(world)).swept, count()], [0, before], "kept until then");
    world.advance({ seconds: 1 });
    assert.deepEqual([(await sweep(world)).swept, count()], [1, before - 1]);
  });
}

describe("row of a session or an image", () => {
  test("changed after it was read -> kept", async () => {
    const world = createWorld();
    leave(world, "g", noCounts);
    const changed: Hook = ({ name, when }) => {
      if (name === "sessions.remove" && when === "before") leave(world, "g", { ...noCounts, rejectionsInARow: 1 });
      return undefined;
    };
    const { swept, failures } = await sweep(world, {}, changed);
    assert.deepEqual([swept, failures, rowsOf(world)], [0, [], ["g"]]);
  });

  test("audit entries without their session -> removed in one transaction, a day after the outcome retention", async () => {
    const { world, stored, sessionId } = await seedWorld({}, realFace(), realFace(), realFace());
    await settleSession(world.start().deps, trusted, sessionId, {});
    const entries = world.storage.sessions.all().filter(({ rowKey }) => rowKey.startsWith("a_"));
    await world.start().deps.removals.purge(stored);
    for (const { etag: _, ...entry } of entries) world.storage.sessions.put(entry);
    world.advance({ days: 91 });
    assert.equal((await sweep(world)).swept, 0);
    world.advance({ seconds: 1 });
    const { swept, names } = await sweep(world);
    assert.deepEqual([swept, rowsOf(world)], [3, []]);
    assert.equal(names.filter((name) => name === "sessions.transact").length, 1);
  });

  test("image bound to the device -> kept; bound to another or to none -> removed", async () => {
    const world = createWorld();
    const { images } = world.start().deps;
    const image = { bytes: makeImage(), facts: inspectImage(makeImage()) };
    await images.put("held/mine", { ...image, deviceCorrelationId: "a-device" });
    await images.put("held/moved", { ...image, deviceCorrelationId: "another" });
    await images.put("held/free", image);
    for (const name of ["mine", "moved", "free"]) leave(world, `i_${name}`, {});
    assert.equal((await sweep(world)).swept, 2);
    assert.deepEqual(rowsOf(world), ["i_mine"]);
  });
});

describe("session without an expiry row", () => {
  async function arrange() {
    const { world, stored } = await seedWorld();
    for (const { partition, row } of world.tables.expiry.all()) world.storage.expiry.remove(partition, row);
    return { world, stored };
  }

  test("token ended an hour ago -> scheduled and collected", async () => {
    const { world } = await arrange();
    world.advance({ minutes: 70 });
    await sweep(world);
    assert.deepEqual(world.tables.expiry.all(), []);
    world.advance({ seconds: 1 });
    assert.equal((await sweep(world)).swept, 1);
    const { collected } = (await runMaintenance(world)).summary;
    assert.deepEqual([collected, world.record().final], [1, true]);
    assert.equal((await sweep(world)).swept, 0);
  });

  test("outcome past its retention -> scheduled and purged", async () => {
    const {
      world,
      stored: { partition, row },
    } = await arrange();
    const record = world.tables.records.get(partition, row)?.value ?? assert.fail();
    world.tables.records.put(partition, row, { ...record, final: true, decision: "accepted", reasons: ["RealFace"] });
    world.advance({ days: 90, hours: 1 });
    await sweep(world);
    assert.deepEqual(world.tables.expiry.all(), []);
    world.advance({ seconds: 1 });
    await sweep(world);
    assert.equal((await runMaintenance(world)).summary.purged, 1);
    assertNothingStored(world);
  });

  test("row is overdue or failing -> not scheduled a second time", async () => {
    const { world } = await seedWorld();
    world.advance({ hours: 3 });
    await sweep(world);
    assert.equal(world.tables.expiry.all().length, 1, "the run has not reached the session");
    for (let run = 0; run < 3; run += 1) {
      await runMaintenance(world, {}, failOn("face.get"));
      assert.equal((await sweep(world)).swept, 0, `run ${run}`);
    }
    assert.equal(world.tables.expiry.all().length, 1);
  });

  test("two expiry rows -> counted once, and nothing is left", async () => {
    const { world, stored, record } = await seedWorld({ uploads: true }, realFace({ livenessDecision: "spoofface" }));
    const { creationId, createdOn } = record;
    const { schedule, devices } = world.start().deps;
    world.advance({ minutes: 30 });
    await schedule.put({ creationId, createdOn, place: stored.place, phase: "collect", dueOn: iso(world) });
    assert.equal(world.tables.expiry.all().length, 2);
    for (const days of [0, 2, 90]) {
      world.advance({ days });
      assert.equal((await runMaintenance(world, { concurrency: 2 })).summary.failed, 0);
      if (days === 0) assert.equal((await devices.guardOf(stored))?.guard.rejectionsInARow, 1);
    }
    assertNothingStored(world);
  });
});

describe("sweepItems", async () => {
  test("every six hours within the outcome retention of a session -> keeps all its rows", async () => {
    const { world, sessionId } = await seedWorld({ owner: "alice" }, realFace({ sessionImageId: "an-image" }));
    await settleSession(world.start().deps, trusted, sessionId, {});
    const names = () => [...rowsOf(world), ...world.storage.sessionIds.all().map(({ rowKey }) => rowKey)];
    const before = names();
    for (let hour = 0; hour < 90 * 24; hour += 6) {
      await runMaintenance(world);
      const { failures } = await sweep(world);
      assert.deepEqual([failures, names()], [[], before], `after ${hour} hours`);
      world.advance({ hours: 6 });
    }
    await runMaintenance(world);
    assertNothingStored(world);
  });

  /** Guard rows that count nothing. */
  function many(count: number): World {
    const world = createWorld();
    for (let number = 0; number < count; number += 1) {
      leave(world, "g", noCounts, `device-${String(number).padStart(5, "0")}`);
    }
    return world;
  }

  test("more than 5,000 rows -> the next run continues at the bookmark", async () => {
    const world = many(5001);
    const { swept, names } = await sweep(world);
    assert.equal(swept, 5000);
    assert.equal(names.filter((name) => name === "sessions.query").length, 5);
    assert.deepEqual([...world.blobs.bookmarks.keys()], ["sessions"]);
    assert.equal((await sweep(world)).swept, 1);
    assert.deepEqual([rowsOf(world), world.blobs.bookmarks.size], [[], 0], "the bookmark is removed at the end");
  });

  test("unremovable and unreadable row -> reports both and removes the others", async () => {
    const world = many(3);
    leave(world, "g", { recent: "no JSON", rejectionsInARow: 0 }, "broken");
    const { swept, failures } = await sweep(world, {}, failOn("sessions.remove", "before", 2));
    assert.deepEqual([swept, failures.length], [2, 2]);
    assert.ok(failures.every(({ collection, key }) => collection === "sessions" && key === "g"));
    assert.ok(failures.some(({ cause }) => cause instanceof InjectedError));
  });

  test("table cannot be read -> reports it and sweeps the other", async () => {
    const world = createWorld();
    world.storage.sessionIds.put({ partitionKey: "s", rowKey: "s" });
    const { swept, failures } = await sweep(world, {}, failOn("sessions.query"));
    assert.deepEqual([swept, failures.map(({ collection }) => collection)], [1, ["sessions"]]);
  });

  test("deadline passes -> stops after the batches under way", async () => {
    const world = many(1500);
    const { storedItems } = world.start().deps;
    const remove: typeof storedItems.remove = (some) => {
      world.advance({ seconds: 30 });
      return storedItems.remove(some);
    };
    assert.equal((await sweep(world, { storedItems: { ...storedItems, remove } })).swept, 200);
  });

  test("row of an unknown kind -> kept", async () => {
    const world = createWorld();
    leave(world, "x_1", {});
    world.advance({ days: 4000 });
    assert.deepEqual([(await sweep(world)).swept, rowsOf(world)], [0, ["x_1"]]);
  });

  test("entry of a user with another key -> reported and kept", async () => {
    const world = createWorld();
    world.storage.users.put({ partitionKey: "a-user", rowKey: "x" });
    world.advance({ days: 4000 });
    const { swept, failures } = await sweep(world);
    assert.deepEqual([swept, failures.length, world.storage.users.all().length], [0, 1, 1]);
  });

  test("entry of a user's session that is kept -> kept as long as the session", async () => {
    const world = createWorld();
    await openSession(world.start().deps, command({ request: { userCorrelationId: "a-user" } }));
    world.advance({ days: 90 });
    assert.deepEqual((await sweep(world)).failures, []);
    assert.equal(world.storage.users.all().length, 1);
  });

  const sweepOnce = ({ deps }: Process, world: World) =>
    sweepItems({ ...deps, onFailure: () => undefined }, world.now() + 60_000);
  const fourGuards = async () => many(4);
  await testInterruptions("the next run removes everything", fourGuards, sweepOnce, async (world) => {
    await sweep(world);
    assertNothingStored(world);
  });
});
