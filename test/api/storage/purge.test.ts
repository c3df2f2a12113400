import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { placed } from "../../../src/liveness/model/session.ts";
import { locationOf, sessionRow, writePlace } from "../../../src/storage/rows/keys.ts";
import { writeSessionRow } from "../../../src/storage/rows/rows.ts";
import {
  audit,
  newRecord,
  openRig,
  openTwo,
  openWithSession,
  reservation,
  reserved,
  someDevice,
  type Taken,
} from "./storage-rig.ts";

describe("purge", () => {
  test("removes all rows of a device's last session", async (t) => {
    const { sessions, rows, pointersOf, stored } = await openWithSession(t);
    const entries = Array.from({ length: 205 }, (_, n) => audit(stored, String(n)));
    assert.ok(await sessions.update(stored, stored.record, entries));
    await sessions.purge(stored);
    assert.deepEqual(await rows(), []);
    assert.deepEqual(await pointersOf(stored.record.sessionId), []);
    await sessions.purge(stored);
  });

  test("keeps the device's other sessions, their entries, keys and the guard", async (t) => {
    const { sessions, committed, rowKeys } = await openRig(t);
    const [one, other] = [await committed(), await committed()];
    await sessions.update(other, other.record, [audit(other)]);
    await sessions.purge(one);
    const { row, idempotencyRowKey } = locationOf(other);
    const entry = `a_${row.slice(2)}_${"1".padStart(19, "0")}`;
    assert.deepEqual(await rowKeys(), [entry, "g", idempotencyRowKey, row]);
    assert.ok(await sessions.find(other.record.sessionId));
  });

  test("keeps the guard while a creation is in flight", async (t) => {
    const { sessions, reserved, rowKeys, stored } = await openWithSession(t);
    const place = await reserved();
    await sessions.purge(stored);
    assert.deepEqual(await rowKeys(), ["g", place.idempotencyRowKey]);
  });

  test("a concurrent creation keeps the guard", async (t) => {
    const [{ connection, sessions, proxy, committed, rowKeys }, rival] = await openTwo(t);
    const stored = await committed();
    // The answers of the purge's reads are delayed until the concurrent creation has its place.
    const isGuardDelete = ({ method, path }: { method: string; path: string }) =>
      method === "DELETE" && path.endsWith("RowKey='g')");
    proxy.inject({ status: 503 }, isGuardDelete);
    const sleep = connection.retryPolicy.sleep;
    let place: Taken | undefined;
    connection.retryPolicy.sleep = async (ms) => {
      place ??= await rival.reserved();
      await sleep(ms);
    };
    await sessions.purge(stored);
    assert.ok(place !== undefined);
    assert.deepEqual(await rowKeys(), ["g", place.idempotencyRowKey]);
  });

  test("keeps a key that a later creation has taken over", async (t) => {
    const { connection, sessions, device, rowKeys, stored } = await openWithSession(t);
    const rowKey = locationOf(stored).idempotencyRowKey;
    await connection.sessions.merge({ partitionKey: device, rowKey, creationId: "another" });
    await sessions.purge(stored);
    assert.deepEqual(await rowKeys(), ["g", rowKey]);
  });
});

describe("purge of a session that was bound to its device later", () => {
  test("removes the key from its own partition", async (t) => {
    const { connection, sessions, device, rowKeys } = await openRig(t);
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
    assert.deepEqual(await rowKeys(), []);
    assert.deepEqual(await rowKeys(place.partition), []);
  });
});

describe("dropKey", () => {
  test("removes the rows of a creation without a commit", async (t) => {
    const { sessions, reserved, rowKeys } = await openRig(t);
    const { idempotencyRowKey, key, place } = await reserved();
    await sessions.dropKey(place, "another");
    assert.deepEqual(await rowKeys(), ["g", idempotencyRowKey]);
    await sessions.dropKey(place, key.creationId);
    assert.deepEqual(await rowKeys(), []);
    await sessions.dropKey(place, key.creationId);
  });

  test("keeps the guard of a device with sessions", async (t) => {
    const { sessions, reserved, rowKeys, stored } = await openWithSession(t);
    const place = await reserved();
    await sessions.dropKey(place.place, place.key.creationId);
    assert.deepEqual(await rowKeys(), ["g", locationOf(stored).idempotencyRowKey, locationOf(stored).row]);
  });
});

describe("pointers of creations without a commit", () => {
  test("are found by their target, many with one query", async (t) => {
    const { sessions, proxy, device, committed } = await openRig(t);
    const elsewhere = () => committed({ deviceCorrelationId: someDevice() });
    const lost = [await committed(), await committed(), await elsewhere()];
    const [kept, other] = [await committed(), await elsewhere()];
    proxy.take();
    await sessions.dropPointers({ records: lost.map(placed) });
    assert.deepEqual(proxy.take(), [...Array(3).fill("DELETE /sessionids"), "GET /sessionids"]);
    for (const { record } of lost) assert.equal(await sessions.find(record.sessionId), undefined);
    assert.ok((await sessions.find(kept.record.sessionId)) && (await sessions.find(other.record.sessionId)));
    await sessions.dropPointers({ deviceCorrelationId: device });
    assert.equal(await sessions.find(kept.record.sessionId), undefined);
    assert.ok(await sessions.find(other.record.sessionId));
    await sessions.dropPointers({ records: [kept, other].map(placed) });
    assert.equal(await sessions.find(other.record.sessionId), undefined);
  });
});
