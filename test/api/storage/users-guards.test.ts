import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { endLockout } from "../../../src/liveness/open/limits.ts";
import { guardRowOf, locationOf, readItemRef } from "../../../src/storage/rows/keys.ts";
import { readGuard } from "../../../src/storage/rows/rows.ts";
import { createDevices } from "../../../src/storage/stores/devices.ts";
import { openRig, type Rig } from "./storage-rig.ts";

const changedOn = "2026-01-01T00:00:00.000Z";
const owner = "a".repeat(64);
const other = "b".repeat(64);

async function guardsOf({ rows }: Rig): Promise<Record<string, number>> {
  const guards = (await rows()).filter(({ rowKey }) => rowKey.startsWith("g"));
  return Object.fromEntries(guards.map((row) => [row.rowKey, readGuard(row).recent.length]));
}

describe("guards of one device", () => {
  test("services and each user have separate counts, also in a process's cache", async (t) => {
    const rig = await openRig(t);
    for (const countedFor of ["services", owner, owner, other, "services", owner]) {
      await rig.reserved({ countedFor });
    }
    assert.deepEqual(await guardsOf(rig), { g: 2, [`g_${owner}`]: 3, [`g_${other}`]: 1 });
  });

  test("count the outcomes of their own sessions only", async (t) => {
    const rig = await openRig(t);
    await rig.committed({ countedFor: "services" });
    const stored = await rig.committed({ countedFor: owner });
    const change = { rejectionsInARow: 7, changedOn };
    assert.ok(await rig.sessions.update(stored, stored.record, [], { change }));
    const rejections = await Promise.all(
      ["services", owner, other].map(async (counted) => (await rig.storedGuard(guardRowOf(counted)))?.rejectionsInARow),
    );
    assert.deepEqual(rejections, [0, 7, undefined]);
  });

  test("are removed with the last session that they count", async (t) => {
    const rig = await openRig(t);
    const { sessions } = rig;
    const ofServices = await rig.committed({ countedFor: "services" });
    const [one, two] = [await rig.committed({ countedFor: owner }), await rig.committed({ countedFor: owner })];
    await sessions.purge(one);
    assert.deepEqual(Object.keys(await guardsOf(rig)), ["g", `g_${owner}`]);
    await sessions.purge(two);
    assert.deepEqual(Object.keys(await guardsOf(rig)), ["g"]);
    await sessions.purge(ofServices);
    assert.deepEqual(await rig.rowKeys(), []);
  });

  test("are removed with the last creation in flight, with and without its key row", async (t) => {
    for (const isReleased of [false, true]) {
      const rig = await openRig(t);
      const { sessions } = rig;
      const stored = await rig.committed({ countedFor: "services" });
      const place = await rig.reserved({ countedFor: owner });
      if (isReleased) await sessions.release(place);
      await sessions.dropKey(place.place, place.key.creationId);
      const rows = ["g", locationOf(stored).idempotencyRowKey, locationOf(stored).row];
      assert.deepEqual(await rig.rowKeys(), rows);
    }
  });

  test("are removed by an erasure of the device", async (t) => {
    const rig = await openRig(t);
    for (const countedFor of ["services", owner, other]) {
      const place = await rig.reserved({ countedFor });
      await rig.sessions.release(place);
    }
    const devices = createDevices(rig.connection);
    const contents = await devices.contentsOf(rig.device);
    const leftovers = contents.leftovers.map((row) => readItemRef(row).row);
    assert.deepEqual(leftovers, ["g", `g_${owner}`, `g_${other}`]);
    await devices.dropRest(contents);
    assert.equal((await devices.contentsOf(rig.device)).isEmpty, true);
  });

  test("lifting lockouts keeps their creations", async (t) => {
    const rig = await openRig(t);
    const change = { rejectionsInARow: 5, lockedUntil: "2026-01-01T00:30:00.000Z", changedOn };
    for (const countedFor of ["services", owner]) {
      const stored = await rig.committed({ countedFor });
      await rig.sessions.update(stored, stored.record, [], { change });
    }
    await rig.committed({ countedFor: other });
    const devices = createDevices(rig.connection);
    rig.proxy.take();
    await devices.editGuards(rig.device, (guard) => endLockout(guard, Date.parse(changedOn)));
    assert.equal(rig.proxy.take().length, 5, "a query, and two requests for each guard that changes");
    for (const counted of ["services", owner, other]) {
      const guard = await rig.storedGuard(guardRowOf(counted));
      assert.deepEqual([guard?.recent.length, guard?.rejectionsInARow, guard?.lockedUntil], [1, 0, undefined]);
    }
  });
});
