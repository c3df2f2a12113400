import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import type { SessionStore } from "../../../src/liveness/model/ports.ts";
import type { DuePlace, DueRow, UnreadableRow } from "../../../src/liveness/model/schedule.ts";
import { startAzurite } from "../../local/azurite.ts";
import { collect, openRig, rowsOf } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

const minutes = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();

const isReadable = (row: DueRow | UnreadableRow): row is DueRow => !("cause" in row);

describe("the schedule", () => {
  const dueAt = (sessions: SessionStore, dueOn: string, creationId: string = randomUUID()): DueRow => ({
    creationId,
    phase: "collect",
    dueOn,
    partition: "p",
    row: "r",
    idempotencyRowKey: `k_${creationId}`,
    expiryPartition: sessions.expiryPartition(creationId, dueOn),
  });
  const allDue = async (sessions: SessionStore, now: string) =>
    (await Promise.all(Array.from({ length: 16 }, (_, shard) => collect(sessions.dueRows(shard, now)))))
      .flat()
      .filter(isReadable);
  const ids = (rows: readonly DuePlace[]) => rows.map(({ creationId }) => creationId).sort();

  test("returns due rows only, oldest bucket first", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const due = [40, 0, 17, 21].map((n) => dueAt(sessions, minutes(n)));
    const later = [22, 24, 25, 1000].map((n) => dueAt(sessions, minutes(n)));
    for (const row of [...later, ...due]) await sessions.schedule(row);

    assert.deepEqual(ids(await allDue(sessions, minutes(21))), ids(due.slice(1)));
    assert.deepEqual(ids(await allDue(sessions, minutes(40))), ids([...due, ...later.slice(0, 3)]));
    proxy.take();
    const shard = Number.parseInt(due[0]?.expiryPartition.slice(0, 1) ?? "", 16);
    const rows = await collect(sessions.dueRows(shard, minutes(40)));
    assert.deepEqual(proxy.take(), ["GET /expiry"]);
    assert.deepEqual(
      rows.map(({ expiryPartition }) => expiryPartition),
      rows.map(({ expiryPartition }) => expiryPartition).sort(),
    );
    assert.deepEqual(
      rows.find(({ creationId }) => creationId === due[0]?.creationId),
      due[0],
    );
    const filter = proxy.seen.at(-1)?.query.get("$filter");
    const digit = shard.toString(16);
    assert.equal(
      filter,
      `PartitionKey ge '${digit}_' and PartitionKey le '${digit}_202601010040' and ` +
        `(PartitionKey lt '${digit}_202601010040' or dueOn le '${minutes(40)}')`,
    );
  });

  test("a rescheduled row is returned again, and the next one of its bucket follows", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const row = dueAt(sessions, minutes(100));
    await sessions.schedule(row);
    await sessions.schedule(row);
    await sessions.schedule({ ...row, phase: "prune", dueOn: minutes(102) });
    const stored = await rowsOf(connection.expiry, row.expiryPartition);
    assert.deepEqual(
      stored.map(({ phase, dueOn }) => [phase, dueOn]),
      [["prune", minutes(102)]],
    );
  });

  test("one write request per bucket", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const first = dueAt(sessions, minutes(150));
    const session = {
      sessionId: randomUUID(),
      kind: "liveness",
      upstreamVersion: "v1.2",
      uploaded: true,
    } as const;
    const rows = Array.from({ length: 120 }, (_, n) => ({ ...first, creationId: `${first.creationId}-${n}` }));
    const setAside: DueRow = { ...first, phase: "prune", session, failures: 3, setAsideOn: minutes(100) };
    const elsewhere = dueAt(sessions, minutes(155));
    await sessions.schedule(first);
    proxy.take();
    await sessions.schedule(...rows, setAside, elsewhere);
    assert.deepEqual(proxy.take(), ["POST /$batch", "POST /$batch", "PUT /expiry"]);
    await sessions.schedule();
    assert.deepEqual(proxy.take(), []);
    assert.deepEqual(await sessions.dueRow(setAside), setAside);
    assert.deepEqual(await sessions.dueRow(elsewhere), elsewhere);
    assert.deepEqual(await sessions.unschedule([...rows, setAside, elsewhere]), []);
    assert.equal(await sessions.dueRow(setAside), undefined);
  });

  test("a row without a time is due from the start of its bucket", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const { dueOn, ...row } = dueAt(sessions, minutes(171));
    const { expiryPartition, creationId, ...values } = row;
    await connection.expiry.put({ partitionKey: expiryPartition, rowKey: creationId, ...values });
    assert.deepEqual(ids(await allDue(sessions, minutes(174))).includes(creationId), false, "its bucket is not over");
    const found = (await allDue(sessions, minutes(175))).find((due) => due.creationId === creationId);
    assert.deepEqual(found, { ...row, dueOn: minutes(170) });
    await sessions.unschedule([row]);
  });

  test("an unreadable row is reported and skipped", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const [one, other] = ["1", "2"].map((end) => dueAt(sessions, minutes(176), `${"7".repeat(8)}-${end}`));
    assert.ok(one && other);
    const { expiryPartition: partitionKey } = one;
    await connection.expiry.put({ partitionKey, rowKey: "0-broken", phase: "dance" });
    await sessions.schedule({ ...other, expiryPartition: partitionKey });
    const shard = Number.parseInt(partitionKey.charAt(0), 16);
    const [broken, sound] = (await collect(sessions.dueRows(shard, minutes(180)))).filter(
      ({ expiryPartition }) => expiryPartition === partitionKey,
    );
    assert.ok(broken && "cause" in broken && /phase/.test(String(broken.cause)));
    assert.deepEqual([broken.creationId, sound?.creationId], ["0-broken", other.creationId]);
    assert.ok(await sessions.oldestDue(minutes(180)));
    await sessions.unschedule([broken, { ...other, expiryPartition: partitionKey }]);
  });

  test("the oldest due time takes one small query per shard", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    assert.equal(await sessions.oldestDue("2025-06-01T00:00:00.000Z"), undefined);
    const times = ["2025-06-01T00:07:00.000Z", "2025-06-01T00:03:00.000Z", "2025-06-01T01:00:00.000Z"];
    const rows = times.map((time) => dueAt(sessions, time));
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
    const { sessions, connection } = await openRig(t, azurite);
    const [one, other] = [dueAt(sessions, minutes(180)), dueAt(sessions, minutes(180))];
    const places = [180, 400, 90_000].map((n) => dueAt(sessions, minutes(n), one.creationId));
    await sessions.schedule(...places, other);
    await sessions.dropSchedule(one.creationId);
    for (const { expiryPartition } of places) {
      const left = (await rowsOf(connection.expiry, expiryPartition)).map(({ rowKey }) => rowKey);
      assert.equal(left.includes(one.creationId), false);
    }
    assert.deepEqual(await sessions.unschedule([other]), []);
  });

  test("removes rows with one request per bucket, and returns the rows that did not exist", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const first = dueAt(sessions, minutes(200));
    const rows = [
      first,
      ...Array.from({ length: 120 }, (_, n) => ({ ...first, creationId: `${first.creationId}-${n}` })),
    ];
    const elsewhere = dueAt(sessions, minutes(300));
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
    assert.deepEqual(ids(rows.slice(1, 3)), gone.map(({ creationId }) => creationId).sort());
    assert.deepEqual(await rowsOf(await (await openRig(t, azurite)).connection.expiry, first.expiryPartition), []);
    await sessions.unschedule([]);
  });

  test("pages are read on demand", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const first = dueAt(sessions, minutes(2000));
    const rows = Array.from({ length: 1100 }, (_, n) => ({ ...first, creationId: `${first.creationId}-${n}` }));
    for (let start = 0; start < rows.length; start += 100) {
      await sessions.schedule(...rows.slice(start, start + 100));
    }
    const shard = Number.parseInt(first.expiryPartition.slice(0, 1), 16);
    proxy.take();
    let read = 0;
    for await (const row of sessions.dueRows(shard, minutes(2000))) {
      if (row.expiryPartition !== first.expiryPartition) continue;
      if (++read === 1) assert.equal(proxy.take().length, 1);
    }
    assert.equal(read, 1100);
    assert.equal(proxy.take().length, 2);
    await sessions.unschedule(rows);
  });
});
