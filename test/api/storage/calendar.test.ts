import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { EntryKey, ScheduleEntry, UnreadableEntry } from "../../../src/liveness/model/schedule.ts";
import { expiryPartition, writePlace } from "../../../src/storage/rows/keys.ts";
import { writeDue } from "../../../src/storage/rows/rows.ts";
import { collect, openRig, rowsOf, type SessionStore } from "./storage-rig.ts";

const minutes = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();

const isReadable = (row: ScheduleEntry | UnreadableEntry): row is ScheduleEntry => !("cause" in row);

describe("the schedule", () => {
  const dueAt = (dueOn: string, creationId: string = randomUUID()): ScheduleEntry => ({
    creationId,
    createdOn: minutes(0),
    phase: "collect",
    dueOn,
    place: writePlace({ partition: "p", idempotencyRowKey: `k_${creationId}` }),
  });
  const bucketOf = ({ creationId, dueOn }: EntryKey) => expiryPartition(creationId, dueOn);
  const shardOfRow = (row: EntryKey) => Number.parseInt(bucketOf(row).slice(0, 1), 16);
  /** More rows of the same bucket. */
  const beside = (first: ScheduleEntry, count: number): ScheduleEntry[] => {
    const rows: ScheduleEntry[] = [];
    for (let n = 0; rows.length < count; n += 1) {
      const row = { ...first, creationId: `${first.creationId}-${n}` };
      if (bucketOf(row) === bucketOf(first)) rows.push(row);
    }
    return rows;
  };
  const allDue = async (sessions: SessionStore, now: string) =>
    (await Promise.all(Array.from({ length: 16 }, (_, shard) => collect(sessions.dueEntries(shard, now)))))
      .flat()
      .filter(isReadable);
  const ids = (rows: readonly Pick<ScheduleEntry, "creationId">[]) => rows.map(({ creationId }) => creationId).sort();

  test("returns due rows only, oldest bucket first", async (t) => {
    const { sessions, proxy } = await openRig(t);
    const due = [40, 0, 17, 21].map((n) => dueAt(minutes(n)));
    const later = [22, 24, 25, 1000].map((n) => dueAt(minutes(n)));
    for (const row of [...later, ...due]) await sessions.schedule(row);

    assert.deepEqual(ids(await allDue(sessions, minutes(21))), ids(due.slice(1)));
    assert.deepEqual(ids(await allDue(sessions, minutes(40))), ids([...due, ...later.slice(0, 3)]));
    proxy.take();
    const shard = shardOfRow(due[0] ?? assert.fail());
    const rows = (await collect(sessions.dueEntries(shard, minutes(40)))).filter(isReadable);
    assert.deepEqual(proxy.take(), ["GET /expiry"]);
    assert.deepEqual(rows.map(bucketOf), rows.map(bucketOf).sort());
    const [first] = rows.filter(({ creationId }) => creationId === due[0]?.creationId);
    assert.deepEqual(first, due[0]);
    const digit = shard.toString(16);
    assert.equal(
      proxy.seen.at(-1)?.query.get("$filter"),
      `PartitionKey ge '${digit}_' and PartitionKey le '${digit}_202601010040' and ` +
        `(PartitionKey lt '${digit}_202601010040' or dueOn le '${minutes(40)}')`,
    );
  });

  test("a rescheduled row is returned again, and the next one of its bucket follows", async (t) => {
    const { connection, sessions } = await openRig(t);
    const row = dueAt(minutes(100));
    await sessions.schedule(row);
    await sessions.schedule(row);
    await sessions.schedule({ ...row, phase: "prune", dueOn: minutes(102) });
    const stored = await rowsOf(connection.expiry, bucketOf(row));
    const phases = stored.map(({ phase, dueOn }) => [phase, dueOn]);
    assert.deepEqual(phases, [["prune", minutes(102)]]);
  });

  test("one write request per bucket", async (t) => {
    const { sessions, proxy } = await openRig(t);
    const first = dueAt(minutes(150));
    const session = { sessionId: randomUUID(), kind: "liveness", upstreamVersion: "v1.2", uploaded: true } as const;
    const rows = beside(first, 120);
    const failed: ScheduleEntry = { ...first, phase: "prune", session, failures: 3 };
    const elsewhere = dueAt(minutes(155));
    await sessions.schedule(first);
    proxy.take();
    await sessions.schedule(...rows, failed, elsewhere);
    assert.deepEqual(proxy.take(), ["POST /$batch", "POST /$batch", "PUT /expiry"]);
    await sessions.schedule();
    assert.deepEqual(proxy.take(), []);
    assert.deepEqual(await sessions.dueRow(failed), failed);
    assert.deepEqual(await sessions.dueRow(elsewhere), elsewhere);
    assert.deepEqual(await sessions.unschedule([...rows, failed, elsewhere]), []);
    assert.equal(await sessions.dueRow(failed), undefined);
  });

  test("a row without a time is due from the start of its bucket", async (t) => {
    const { connection, sessions } = await openRig(t);
    const row = dueAt(minutes(171));
    const { dueOn: _, ...values } = writeDue(row);
    await connection.expiry.put(values);
    assert.equal(ids(await allDue(sessions, minutes(174))).includes(row.creationId), false, "its bucket is not over");
    const found = (await allDue(sessions, minutes(175))).find(({ creationId }) => creationId === row.creationId);
    assert.deepEqual(found, { ...row, dueOn: minutes(170) });
    await sessions.unschedule([row]);
  });

  test("an unreadable row is reported and skipped", async (t) => {
    const { connection, sessions } = await openRig(t);
    const other = dueAt(minutes(176), "7".repeat(8));
    const partitionKey = bucketOf(other);
    await connection.expiry.put({ partitionKey, rowKey: "0-broken", phase: "dance" });
    await sessions.schedule(other);
    const ours = ["0-broken", other.creationId];
    const due = await collect(sessions.dueEntries(shardOfRow(other), minutes(180)));
    const [broken, sound] = due.filter(({ creationId }) => ours.includes(creationId));
    assert.ok(broken && "cause" in broken && /phase/.test(String(broken.cause)));
    assert.deepEqual([broken.creationId, sound?.creationId], ["0-broken", other.creationId]);
    assert.ok(await sessions.oldestDue(minutes(180)));
    await connection.expiry.remove(partitionKey, "0-broken");
    await sessions.unschedule([other]);
  });

  test("the oldest due time takes one small query per shard", async (t) => {
    const { sessions, proxy } = await openRig(t);
    assert.equal(await sessions.oldestDue("2025-06-01T00:00:00.000Z"), undefined);
    const times = ["2025-06-01T00:07:00.000Z", "2025-06-01T00:03:00.000Z", "2025-06-01T01:00:00.000Z"];
    const rows = times.map((time) => dueAt(time));
    await sessions.schedule(...rows);
    proxy.take();
    assert.equal(await sessions.oldestDue("2025-06-01T00:02:59.999Z"), undefined);
    assert.equal(await sessions.oldestDue("2025-06-01T00:03:00.000Z"), times[1]);
    assert.equal(await sessions.oldestDue("2025-06-02T00:00:00.000Z"), times[1]);
    assert.deepEqual(proxy.take(), Array(48).fill("GET /expiry"));
    assert.ok(proxy.seen.slice(-16).every(({ query }) => query.get("$top") === "1"));
    await sessions.unschedule(rows);
  });

  test("finds all rows of a creation, in any bucket", async (t) => {
    const { connection, sessions } = await openRig(t);
    const [one, other] = [dueAt(minutes(180)), dueAt(minutes(180))];
    const places = [180, 400, 90_000].map((n) => dueAt(minutes(n), one.creationId));
    await sessions.schedule(...places, other);
    await sessions.dropSchedule(one.creationId);
    for (const place of places) {
      const left = await rowsOf(connection.expiry, bucketOf(place));
      const isLeft = left.some(({ rowKey }) => rowKey === one.creationId);
      assert.equal(isLeft, false);
    }
    assert.deepEqual(await sessions.unschedule([other]), []);
  });

  test("removes rows with one request per bucket, and returns the rows that did not exist", async (t) => {
    const { connection, sessions, proxy } = await openRig(t);
    const first = dueAt(minutes(200));
    const rows = [first, ...beside(first, 120)];
    const elsewhere = dueAt(minutes(300));
    await Promise.all([...rows, elsewhere].map((row) => sessions.schedule(row)));
    const found = ids(await allDue(sessions, minutes(300)));
    assert.ok(rows.every(({ creationId }) => found.includes(creationId)));
    proxy.take();

    await sessions.unschedule([...rows, ...rows.slice(0, 1), elsewhere]);
    assert.deepEqual(proxy.take(), ["DELETE /expiry", "POST /$batch", "POST /$batch"]);
    const left = ids(await allDue(sessions, minutes(300)));
    assert.ok([...rows, elsewhere].every(({ creationId }) => !left.includes(creationId)));

    await sessions.schedule(first);
    const gone = await sessions.unschedule(rows.slice(0, 3));
    assert.deepEqual(ids(rows.slice(1, 3)), ids(gone));
    assert.deepEqual(await rowsOf(connection.expiry, bucketOf(first)), []);
    await sessions.unschedule([]);
  });

  test("pages are read on demand", async (t) => {
    const { sessions, proxy } = await openRig(t);
    const first = dueAt(minutes(2000));
    const rows = [first, ...beside(first, 1099)];
    for (let start = 0; start < rows.length; start += 100) {
      await sessions.schedule(...rows.slice(start, start + 100));
    }
    const shard = shardOfRow(first);
    proxy.take();
    let read = 0;
    for await (const row of sessions.dueEntries(shard, minutes(2000))) {
      if (!isReadable(row) || bucketOf(row) !== bucketOf(first)) continue;
      if (++read === 1) assert.equal(proxy.take().length, 1);
    }
    assert.equal(read, 1100);
    assert.equal(proxy.take().length, 2);
    await sessions.unschedule(rows);
  });
});
