import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { sessionRow } from "../../../src/storage/rows/keys.ts";
import { locationOf, writePlace } from "../../../src/storage/rows/references.ts";
import { writeSessionRow } from "../../../src/storage/rows/session-row.ts";
import { startAzurite } from "../../local/azurite.ts";
import { committed, newRecord, openRig, reservation, reserved, rowKeysOf, rowsOf, someDevice } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

describe("purge", () => {
  test("removes all rows of a device's last session", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const stored = await committed(sessions);
    const { sessionId } = stored.record;
    const entries = Array.from({ length: 205 }, (_, n) => ({
      entryId: String(n),
      sessionId,
      entry: { attemptId: n + 1, attemptStatus: "Failed" },
    }));
    assert.ok(await sessions.update(stored, stored.record, entries));
    await sessions.purge(stored);
    assert.deepEqual(await rowsOf(connection.sessions, locationOf(stored).partition), []);
    assert.deepEqual(await rowsOf(connection.sessionIds, sessionId), []);
    await sessions.purge(stored);
  });

  test("keeps the device's other sessions, their entries, keys and the guard", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const device = someDevice();
    const [one, other] = [await committed(sessions, device), await committed(sessions, device)];
    const { sessionId } = other.record;
    await sessions.update(other, other.record, [
      { entryId: "1", sessionId, entry: { attemptId: 1, attemptStatus: "x" } },
    ]);
    await sessions.purge(one);
    const keys = await rowKeysOf(connection.sessions, device);
    assert.deepEqual(keys, [
      `a_${locationOf(other).row.slice(2)}_${"1".padStart(19, "0")}`,
      "g",
      locationOf(other).idempotencyRowKey,
      locationOf(other).row,
    ]);
    assert.ok(await sessions.find(sessionId));
  });

  test("keeps the guard while a creation is in flight", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const device = someDevice();
    const stored = await committed(sessions, device);
    const place = await reserved(sessions, reservation({ deviceCorrelationId: device }));
    await sessions.purge(stored);
    assert.deepEqual(await rowKeysOf(connection.sessions, device), ["g", place.idempotencyRowKey]);
  });

  test("a concurrent creation keeps the guard", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const rival = (await openRig(t, azurite)).sessions;
    const device = someDevice();
    const stored = await committed(sessions, device);
    // The answers of the purge's reads are delayed until the concurrent creation has its place.
    const isGuardDelete = ({ method, path }: { method: string; path: string }) =>
      method === "DELETE" && path.endsWith("RowKey='g')");
    proxy.inject({ status: 503 }, isGuardDelete);
    const sleep = connection.retryPolicy.sleep;
    let place: Awaited<ReturnType<typeof reserved>> | undefined;
    connection.retryPolicy.sleep = async (ms) => {
      place ??= await reserved(rival, reservation({ deviceCorrelationId: device }));
      await sleep(ms);
    };
    await sessions.purge(stored);
    assert.ok(place !== undefined);
    assert.deepEqual(await rowKeysOf(connection.sessions, device), ["g", place.idempotencyRowKey]);
  });

  test("keeps a key that a later creation has taken over", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const device = someDevice();
    const stored = await committed(sessions, device);
    const rowKey = locationOf(stored).idempotencyRowKey;
    await connection.sessions.merge({ partitionKey: device, rowKey, creationId: "another" });
    await sessions.purge(stored);
    assert.deepEqual(await rowKeysOf(connection.sessions, device), ["g", rowKey]);
  });
});

describe("purge of a session that was bound to its device later", () => {
  test("removes the key from its own partition", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const device = someDevice();
    const request = reservation();
    const place = await reserved(sessions, request);
    const record = newRecord(request, { deviceCorrelationId: device });
    const row = sessionRow(record.createdOn, record.creationId);
    const { partition: keyPartition, idempotencyRowKey } = place;
    const columns = { idempotencyRowKey, keyPartition, expiryPartition: "0_202601010000" };
    await connection.sessions.put({ ...writeSessionRow(device, row, { ...record, ...columns }) });
    const { creationId, createdOn } = record;
    const at = writePlace({ partition: device, idempotencyRowKey });
    const stored = await sessions.load({ place: at, creationId, createdOn });
    assert.ok(stored);
    await sessions.purge(stored);
    assert.deepEqual(await rowKeysOf(connection.sessions, device), []);
    assert.deepEqual(await rowKeysOf(connection.sessions, place.partition), []);
  });
});

describe("dropKey", () => {
  test("removes the rows of a creation without a commit", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const { idempotencyRowKey, key, place } = await reserved(sessions, reservation({ deviceCorrelationId }));
    await sessions.dropKey(place, "another");
    assert.deepEqual(await rowKeysOf(connection.sessions, deviceCorrelationId), ["g", idempotencyRowKey]);
    await sessions.dropKey(place, key.creationId);
    assert.deepEqual(await rowKeysOf(connection.sessions, deviceCorrelationId), []);
    await sessions.dropKey(place, key.creationId);
  });

  test("keeps the guard of a device with sessions", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const device = someDevice();
    const stored = await committed(sessions, device);
    const place = await reserved(sessions, reservation({ deviceCorrelationId: device }));
    await sessions.dropKey(place.place, place.key.creationId);
    assert.deepEqual(await rowKeysOf(connection.sessions, device), [
      "g",
      locationOf(stored).idempotencyRowKey,
      locationOf(stored).row,
    ]);
  });
});
