import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import { readGuard } from "../../../src/storage/rows/other-rows.ts";
import { startAzurite } from "../../local/azurite.ts";
import {
  admitAll,
  committed,
  giveUp,
  newRecord,
  openRig,
  reservation,
  reserved,
  rowKeysOf,
  rowsOf,
  someDevice,
} from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

/** Admits this many creations and refuses the rest, like the limits. */
function admitUpTo(limit: number) {
  return (guard: Guard | undefined) => {
    if ((guard?.recent.length ?? 0) >= limit) throw new ApiError(429, "429", "Rate limit is exceeded.");
    return admitAll(guard);
  };
}

describe("two processes on one storage", () => {
  test("create the tables and the container concurrently without errors", async (t) => {
    const rigs = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const image = {
      bytes: Buffer.from("image"),
      facts: { contentType: "image/png", width: 1, height: 1, sha256: "ff" },
    } as const;
    const work = rigs.flatMap(({ sessions, images }) =>
      Array.from({ length: 5 }, async (_, n) => {
        const device = someDevice();
        const [stored, version] = await Promise.all([
          committed(sessions, device),
          images.put(`held/${device}`, image),
          sessions.dueRows(n, "2026-01-01T00:00:00.000Z")[Symbol.asyncIterator]().next(),
        ]);
        return version !== undefined && stored.record.deviceCorrelationId === device;
      }),
    );
    assert.deepEqual(await Promise.all(work), Array(10).fill(true));
  });

  test("200 concurrent reservations: exactly the limit succeeds", async (t) => {
    const [one, other] = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const deviceCorrelationId = someDevice();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) =>
        (n % 2 ? one : other).sessions.reserve(reservation({ deviceCorrelationId }), admitUpTo(10)),
      ),
    );
    const passed = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
    assert.equal(passed.length, 10);
    assert.ok(passed.every((outcome) => "reserved" in outcome));
    assert.deepEqual(refusals, Array(190).fill("429"));
    const [guard, ...keys] = await rowsOf(one.connection.sessions, deviceCorrelationId);
    assert.ok(guard !== undefined);
    assert.equal(readGuard(guard).recent.length, 10);
    assert.deepEqual(
      keys.map(({ creationId }) => creationId).sort(),
      passed.flatMap((outcome) => ("reserved" in outcome ? [outcome.reserved.key.creationId] : [])).sort(),
    );
  });

  test("concurrent reservations with one idempotency key take one place", async (t) => {
    const timeOf = (n: number) => new Date(Date.UTC(2026, 0, 1) + n).toISOString();
    const [one, other] = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const deviceCorrelationId = someDevice();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 ? one : other).sessions.reserve(
          reservation({ deviceCorrelationId, keyHash: "abc", bodyHash: timeOf(n) }),
          (guard) => admitAll(guard, timeOf(n)),
        ),
      ),
    );
    const winners = outcomes.flatMap((outcome) => ("reserved" in outcome ? [outcome.reserved] : []));
    assert.equal(winners.length, 1);
    for (const outcome of outcomes) {
      if ("existing" in outcome) assert.equal(outcome.existing.key.creationId, winners[0]?.key.creationId);
    }
    const [guard] = await rowsOf(one.connection.sessions, deviceCorrelationId);
    assert.ok(guard !== undefined);
    assert.deepEqual(readGuard(guard).recent, [winners[0]?.key.bodyHash]);
  });

  test("one of several commits for one key succeeds", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const place = await reserved(sessions, reservation({ deviceCorrelationId, keyHash: "abc" }));
    const records = Array.from({ length: 8 }, () => newRecord(reservation({ deviceCorrelationId })));
    const outcomes = await Promise.all(records.map((record) => sessions.commit(place, record)));
    assert.equal(outcomes.filter(Boolean).length, 1);
    const winner = records[outcomes.indexOf(true)];
    const key = await connection.sessions.get(deviceCorrelationId, place.idempotencyRowKey);
    assert.equal(key?.sessionId, winner?.sessionId);
    const found = await Promise.all(records.map(({ sessionId }) => rowsOf(connection.sessionIds, sessionId)));
    assert.deepEqual(
      found.map((rows) => rows.length === 1),
      outcomes,
      "no pointer is left of the losers",
    );
  });

  test("concurrent releases give back every place", async (t) => {
    const [one, other] = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const deviceCorrelationId = someDevice();
    const places: Awaited<ReturnType<typeof reserved>>[] = [];
    for (let n = 0; n < 12; n++) places.push(await reserved(one.sessions, reservation({ deviceCorrelationId })));
    await Promise.all(places.slice(0, 11).map((place, n) => giveUp(n % 2 ? one : other, place)));
    const [guard, ...keys] = await rowsOf(one.connection.sessions, deviceCorrelationId);
    assert.ok(guard !== undefined);
    assert.deepEqual(readGuard(guard).recent, [places[11]?.taken]);
    assert.deepEqual(
      keys.map(({ rowKey }) => rowKey),
      [places[11]?.idempotencyRowKey],
    );
  });

  test("concurrent updates of a record conflict, and none is lost", async (t) => {
    const [one, other] = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const { record } = await committed(one.sessions);
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
    const [one, other] = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const device = someDevice();
    const stored = await Promise.all(Array.from({ length: 4 }, () => committed(one.sessions, device)));
    await Promise.all(stored.flatMap((session) => [one.sessions.purge(session), other.sessions.purge(session)]));
    assert.deepEqual(await rowKeysOf(one.connection.sessions, device), []);
  });
});
