import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { admitAll, admitUpTo, newRecord, openRig, openTwo, someDevice, type Taken } from "./storage-rig.ts";

describe("two processes on one storage", () => {
  test("create the tables and the container concurrently without errors", async (t) => {
    const rigs = await openTwo(t);
    const image = {
      bytes: Buffer.from("image"),
      facts: { contentType: "image/png", width: 1, height: 1, sha256: "ff" },
    } as const;
    const work = rigs.flatMap(({ sessions, images, committed }) =>
      Array.from({ length: 5 }, async (_, n) => {
        const device = someDevice();
        const [stored, version] = await Promise.all([
          committed({ deviceCorrelationId: device }),
          images.put(`held/${device}`, image),
          sessions.dueEntries(n, "2026-01-01T00:00:00.000Z")[Symbol.asyncIterator]().next(),
        ]);
        return version !== undefined && stored.record.deviceCorrelationId === device;
      }),
    );
    assert.deepEqual(await Promise.all(work), Array(10).fill(true));
  });

  test("200 concurrent reservations: exactly the limit succeeds", async (t) => {
    const [one, other] = await openTwo(t);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) => (n % 2 ? one : other).sessions.reserve(one.reservation(), admitUpTo(10))),
    );
    const passed = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
    assert.equal(passed.length, 10);
    assert.ok(passed.every((outcome) => "reserved" in outcome));
    assert.deepEqual(refusals, Array(190).fill("429"));
    assert.equal((await one.storedGuard())?.recent.length, 10);
    const [, ...keys] = await one.rows();
    assert.deepEqual(
      keys.map(({ creationId }) => creationId).sort(),
      passed.flatMap((outcome) => ("reserved" in outcome ? [outcome.reserved.key.creationId] : [])).sort(),
    );
  });

  test("concurrent reservations with one idempotency key take one place", async (t) => {
    const timeOf = (n: number) => new Date(Date.UTC(2026, 0, 1) + n).toISOString();
    const [one, other] = await openTwo(t);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 ? one : other).sessions.reserve(one.reservation({ keyHash: "abc", bodyHash: timeOf(n) }), (guard) =>
          admitAll(guard, timeOf(n)),
        ),
      ),
    );
    const winners = outcomes.flatMap((outcome) => ("reserved" in outcome ? [outcome.reserved] : []));
    assert.equal(winners.length, 1);
    for (const outcome of outcomes) {
      if ("existing" in outcome) assert.equal(outcome.existing.key.creationId, winners[0]?.key.creationId);
    }
    assert.deepEqual((await one.storedGuard())?.recent, [winners[0]?.key.bodyHash]);
  });

  test("one of several commits for one key succeeds", async (t) => {
    const { connection, sessions, device, reservation, reserved, pointersOf } = await openRig(t);
    const place = await reserved({ keyHash: "abc" });
    const records = Array.from({ length: 8 }, () => newRecord(reservation()));
    const outcomes = await Promise.all(records.map((record) => sessions.commit(place, record)));
    assert.equal(outcomes.filter(Boolean).length, 1);
    const winner = records[outcomes.indexOf(true)];
    const key = await connection.sessions.get(device, place.idempotencyRowKey);
    assert.equal(key?.sessionId, winner?.sessionId);
    const found = await Promise.all(records.map(({ sessionId }) => pointersOf(sessionId)));
    const isFound = found.map((rows) => rows.length === 1);
    assert.deepEqual(isFound, outcomes, "no pointer is left of the losers");
  });

  test("concurrent releases give back every place", async (t) => {
    const [one, other] = await openTwo(t);
    const places: Taken[] = [];
    for (let n = 0; n < 12; n++) places.push(await one.reserved());
    await Promise.all(places.slice(0, 11).map((place, n) => (n % 2 ? one : other).giveUp(place)));
    assert.deepEqual((await one.storedGuard())?.recent, [places[11]?.taken]);
    assert.deepEqual(await one.rowKeys(), ["g", places[11]?.idempotencyRowKey]);
  });

  test("concurrent updates of a record conflict, and none is lost", async (t) => {
    const [one, other] = await openTwo(t);
    const { record } = await one.committed();
    const count = async ({ sessions }: typeof one) => {
      for (;;) {
        const stored = await sessions.find(record.sessionId);
        assert.ok(stored);
        if (await sessions.update(stored, { ...stored.record, attempts: stored.record.attempts + 1 })) return;
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, n) => count(n % 2 ? one : other)));
    assert.equal((await one.sessions.find(record.sessionId))?.record.attempts, 10);
  });

  test("concurrent purges of the same sessions leave nothing", async (t) => {
    const [one, other] = await openTwo(t);
    const stored = await Promise.all(Array.from({ length: 4 }, () => one.committed()));
    await Promise.all(stored.flatMap((session) => [one.sessions.purge(session), other.sessions.purge(session)]));
    assert.deepEqual(await one.rowKeys(), []);
  });
});
