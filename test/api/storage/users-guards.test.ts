import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { endLockout } from "../../../src/liveness/open/limits.ts";
import { guardRowOf } from "../../../src/storage/rows/keys.ts";
import { readGuard } from "../../../src/storage/rows/other-rows.ts";
import { locationOf, readRowRef } from "../../../src/storage/rows/references.ts";
import { createDevices } from "../../../src/storage/stores/devices.ts";
import { startAzurite } from "../../local/azurite.ts";
import { newRecord, openRig, type Rig, reservation, reserved, rowKeysOf, rowsOf, someDevice } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

const changedOn = "2026-01-01T00:00:00.000Z";
const owner = "a".repeat(64);
const other = "b".repeat(64);

async function guardsOf({ connection }: Rig, device: string): Promise<Record<string, number>> {
  const rows = await rowsOf(connection.sessions, device);
  const guards = rows.filter(({ rowKey }) => rowKey.startsWith("g"));
  return Object.fromEntries(guards.map((row) => [row.rowKey, readGuard(row).recent.length]));
}

async function guardIn({ connection }: Rig, device: string, countedFor: string) {
  const entity = await connection.sessions.get(device, guardRowOf(countedFor));
  return entity && readGuard(entity);
}

async function committedFor(rig: Rig, device: string, countedFor: string) {
  const request = reservation({ deviceCorrelationId: device, countedFor });
  const place = await reserved(rig.sessions, request);
  const record = newRecord(request);
  assert.ok(await rig.sessions.commit(place, record));
  const stored = await rig.sessions.find(record.sessionId);
  assert.ok(stored);
  return stored;
}

describe("guards of one device", () => {
  test("services and each user have separate counts, also in a process's cache", async (t) => {
    const rig = await openRig(t, azurite);
    const device = someDevice();
    for (const countedFor of ["services", owner, owner, other, "services", owner]) {
      await reserved(rig.sessions, reservation({ deviceCorrelationId: device, countedFor }));
    }
    assert.deepEqual(await guardsOf(rig, device), { g: 2, [`g_${owner}`]: 3, [`g_${other}`]: 1 });
  });

  test("count the outcomes of their own sessions only", async (t) => {
    const rig = await openRig(t, azurite);
    const device = someDevice();
    await committedFor(rig, device, "services");
    const stored = await committedFor(rig, device, owner);
    const change = { rejectionsInARow: 7, changedOn };
    assert.ok(await rig.sessions.update(stored, stored.record, [], { change }));
    const rejections = await Promise.all(
      ["services", owner, other].map(async (counted) => (await guardIn(rig, device, counted))?.rejectionsInARow),
    );
    assert.deepEqual(rejections, [0, 7, undefined]);
  });

  test("are removed with the last session that they count", async (t) => {
    const rig = await openRig(t, azurite);
    const { sessions, connection } = rig;
    const device = someDevice();
    const ofServices = await committedFor(rig, device, "services");
    const [one, two] = [await committedFor(rig, device, owner), await committedFor(rig, device, owner)];
    await sessions.purge(one);
    assert.deepEqual(Object.keys(await guardsOf(rig, device)), ["g", `g_${owner}`]);
    await sessions.purge(two);
    assert.deepEqual(Object.keys(await guardsOf(rig, device)), ["g"]);
    await sessions.purge(ofServices);
    assert.deepEqual(await rowKeysOf(connection.sessions, device), []);
  });

  test("are removed with the last creation in flight, with and without its key row", async (t) => {
    for (const isReleased of [false, true]) {
      const rig = await openRig(t, azurite);
      const { sessions, connection } = rig;
      const device = someDevice();
      const stored = await committedFor(rig, device, "services");
      const place = await reserved(sessions, reservation({ deviceCorrelationId: device, countedFor: owner }));
      if (isReleased) await sessions.release(place);
      await sessions.dropKey(place.place, place.key.creationId);
      const rows = ["g", locationOf(stored).idempotencyRowKey, locationOf(stored).row];
      assert.deepEqual(await rowKeysOf(connection.sessions, device), rows);
    }
  });

  test("are removed by an erasure of the device", async (t) => {
    const rig = await openRig(t, azurite);
    const device = someDevice();
    for (const countedFor of ["services", owner, other]) {
      const place = await reserved(rig.sessions, reservation({ deviceCorrelationId: device, countedFor }));
      await rig.sessions.release(place);
    }
    const devices = createDevices(rig.connection);
    const contents = await devices.contentsOf(device);
    assert.deepEqual(
      contents.leftovers.map((row) => readRowRef(row).row),
      ["g", `g_${owner}`, `g_${other}`],
    );
    await devices.dropRest(contents);
    assert.equal((await devices.contentsOf(device)).isEmpty, true);
  });

  test("lifting lockouts keeps their creations", async (t) => {
    const rig = await openRig(t, azurite);
    const device = someDevice();
    const change = { rejectionsInARow: 5, lockedUntil: "2026-01-01T00:30:00.000Z", changedOn };
    for (const countedFor of ["services", owner]) {
      const stored = await committedFor(rig, device, countedFor);
      await rig.sessions.update(stored, stored.record, [], { change });
    }
    await committedFor(rig, device, other);
    const devices = createDevices(rig.connection);
    rig.proxy.take();
    await devices.editGuards(device, (guard) => endLockout(guard, Date.parse(changedOn)));
    assert.equal(rig.proxy.take().length, 5, "a query, and two requests for each guard that changes");
    for (const counted of ["services", owner, other]) {
      const guard = await guardIn(rig, device, counted);
      assert.deepEqual([guard?.recent.length, guard?.rejectionsInARow, guard?.lockedUntil], [1, 0, undefined]);
    }
  });
});
