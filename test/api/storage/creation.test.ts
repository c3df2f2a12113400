import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expiryPartition, readPlace, sessionRow, writePlace } from "../../../src/storage/rows/keys.ts";
import { readKey } from "../../../src/storage/rows/rows.ts";
import {
  admitAll,
  admitUpTo,
  newRecord,
  openRig,
  openTwo,
  processOn,
  refusal,
  refuseKnown,
  reservation,
  reserved,
} from "./storage-rig.ts";

describe("reserve", () => {
  test("a new device: key and guard in one request", async (t) => {
    const { sessions, proxy, device, reservation, reserved, rows } = await openRig(t);
    await sessions.probe();
    proxy.take();
    const request = reservation({ bodyHash: "ff", owner: "o" });

    const place = await reserved(request);
    assert.deepEqual(proxy.take(), ["POST /$batch"]);

    const { creationId, leaseUntil, dueOn } = request;
    const key = { creationId, bodyHash: "ff", owner: "o", countedFor: "services", leaseUntil };
    const [guard, keyRow] = await rows();
    const keys = { partition: device, idempotencyRowKey: `k_${creationId}` };
    assert.deepEqual(place, {
      ...keys,
      place: writePlace(keys),
      version: keyRow?.etag,
      key: { ...key, dueOn },
      taken: place.taken,
    });
    assert.equal(keyRow?.expiryPartition, expiryPartition(creationId, dueOn));
    assert.equal(guard?.rowKey, "g");
    assert.equal(guard?.recent, JSON.stringify([place.taken]));
    assert.deepEqual({ ...keyRow, ...key }, keyRow, "the key row has the properties of the key, under their own names");
  });

  test("a device last written by another process: three requests, and admit gets its guard", async (t) => {
    const rig = await openRig(t);
    const { sessions, proxy, reservation } = rig;
    const first = await processOn(rig).reserved();
    proxy.take();

    const guards: unknown[] = [];
    const outcome = await sessions.reserve(reservation(), (guard) => {
      guards.push(guard);
      return admitAll(guard);
    });
    assert.ok("reserved" in outcome);
    assert.equal(proxy.take().length, 3);
    assert.deepEqual(guards, [undefined, { recent: [first.taken], rejectionsInARow: 0, changedOn: first.taken }]);
  });

  test("a device last written by the same process: one request", async (t) => {
    const { proxy, reserved, storedGuard } = await openRig(t);
    const first = await reserved();
    proxy.take();
    const second = await reserved();
    const third = await reserved();
    assert.deepEqual(proxy.take(), ["POST /$batch", "POST /$batch"]);
    assert.deepEqual((await storedGuard())?.recent, [first.taken, second.taken, third.taken]);
  });

  test("counts creations that other processes wrote after the cached guard", async (t) => {
    const rig = await openRig(t);
    const { sessions, reservation, storedGuard } = rig;
    const others = processOn(rig);
    await sessions.reserve(reservation(), admitUpTo(2));
    const another = await others.reserved();
    await assert.rejects(sessions.reserve(reservation(), admitUpTo(2)), { status: 429 });

    await others.giveUp(another);
    await sessions.reserve(reservation(), admitUpTo(2));
    assert.equal((await storedGuard())?.recent.length, 2);
  });

  test("admits in spite of the cached guard where places were released or the device was removed", async (t) => {
    const rig = await openRig(t);
    const { connection, sessions, reservation, rowKeys } = rig;
    const make = async () => {
      const taken = new Date().toISOString();
      const outcome = await sessions.reserve(reservation(), admitUpTo(1, taken));
      assert.ok("reserved" in outcome);
      return { ...outcome.reserved, ...readPlace(outcome.reserved.place), taken };
    };
    await processOn(rig).giveUp(await make());
    const place = await make();
    await assert.rejects(make(), { status: 429 });
    await connection.sessions.remove(place.partition, "g");
    await make();
    assert.equal((await rowKeys()).filter((row) => row === "g").length, 1);
  });

  test("an existing key is returned, also where admit would refuse", async (t) => {
    const { sessions, device, reservation, reserved } = await openRig(t);
    const { taken, partition, idempotencyRowKey, ...held } = await reserved({ keyHash: "abc", bodyHash: "1" });
    const outcome = await sessions.reserve(reservation({ keyHash: "abc", bodyHash: "2" }), refuseKnown);
    assert.deepEqual(outcome, { existing: held });
    assert.equal(partition, device);
    assert.equal(idempotencyRowKey, "k_abc");
  });

  test("a refusal of admit writes nothing", async (t) => {
    const { sessions, reservation, reserved, rows } = await openRig(t);
    await reserved();
    const before = await rows();
    await assert.rejects(sessions.reserve(reservation(), refuseKnown), (error) => error === refusal);
    assert.deepEqual(await rows(), before);
  });

  test("the device is set in the client: the creation's own partition", async (t) => {
    const { sessions } = await openRig(t);
    const request = reservation();
    const place = await reserved(sessions, request);
    assert.equal(place.partition, `!session_${request.creationId}`);
  });
});

describe("release", () => {
  test("removes the key row and keeps the place", async (t) => {
    const { sessions, reserved, rows } = await openRig(t);
    const place = await reserved();
    assert.equal(await sessions.release(place), true);
    const [guard, ...rest] = await rows();
    assert.deepEqual([guard?.recent, rest], [JSON.stringify([place.taken]), []]);
  });

  test("with a refund of the place leaves no row of a device without sessions", async (t) => {
    const { sessions, reserved, giveUp, rows, rowKeys, storedGuard } = await openRig(t);
    const one = await reserved();
    const other = await reserved();

    await giveUp(one);
    assert.deepEqual((await storedGuard())?.recent, [other.taken]);
    assert.deepEqual(await rowKeys(), ["g", other.idempotencyRowKey]);

    assert.equal(await sessions.release(one), false);
    await giveUp(other);
    assert.deepEqual(await rows(), []);
  });

  test("does not change a place that was committed or taken over", async (t) => {
    const { sessions, begun, rows } = await openRig(t);
    const { place, record } = await begun();
    assert.ok(await sessions.commit(place, record));
    const before = await rows();

    assert.equal(await sessions.release(place), false);
    assert.deepEqual(await rows(), before);
  });
});

describe("commit", () => {
  test("session, key and pointer in two requests", async (t) => {
    const { connection, sessions, proxy, device, begun } = await openRig(t);
    const { place, record } = await begun({ owner: "o" }, { owner: "o", reasons: ["A", "B"], threshold: 0.25 });
    await connection.sessionIds.get("none", "none");
    proxy.take();

    assert.equal(await sessions.commit(place, record), true);
    assert.deepEqual(proxy.take(), ["POST /$batch", "PUT /sessionids"]);

    const row = sessionRow(record.createdOn, record.creationId);
    const stored = await connection.sessions.get(device, row);
    assert.deepEqual({ ...stored, ...record, reasons: '["A","B"]' }, stored, "every field is a property");
    const key = await connection.sessions.get(device, place.idempotencyRowKey);
    assert.deepEqual([key?.creationId, key?.sessionId], [record.creationId, record.sessionId]);
    const pointer = await connection.sessionIds.get(record.sessionId, record.sessionId);
    const { kind, createdOn, ttlSeconds } = record;
    const keys = { partition: device, row, owner: "o", deviceCorrelationId: device };
    assert.deepEqual({ ...pointer, ...keys, kind, createdOn, ttlSeconds }, pointer);
    assert.ok(!("startedOn" in (pointer ?? {})) && !("prunedOn" in (pointer ?? {})));
  });

  for (const [name, interfere] of [
    ["gone", "remove"],
    ["taken over", "merge"],
  ] as const) {
    test(`the key is ${name} -> nothing is written`, async (t) => {
      const { connection, sessions, device, begun, rowKeys, pointersOf } = await openRig(t);
      const { place, record } = await begun();
      const rowKey = place.idempotencyRowKey;
      if (interfere === "remove") await connection.sessions.remove(device, rowKey);
      else await connection.sessions.merge({ partitionKey: device, rowKey, creationId: "another" });
      assert.equal(await sessions.commit(place, record), false);
      const hasSession = (await rowKeys()).some((key) => key.startsWith("s_"));
      assert.equal(hasSession, false);
      assert.deepEqual(await pointersOf(record.sessionId), []);
    });
  }

  test("a key can be taken over by another creation", async (t) => {
    const { sessions, reservation, begun } = await openRig(t);
    const { place, record } = await begun({ keyHash: "abc" });
    const second = reservation({ keyHash: "abc" });
    const outcome = await sessions.reserve(second, admitAll);
    assert.ok("existing" in outcome);

    assert.equal(await sessions.commit(outcome.existing, newRecord(second)), true);
    assert.equal(await sessions.commit(place, record), false);
    const third = await sessions.reserve(reservation({ keyHash: "abc" }), admitAll);
    assert.ok("existing" in third);
    assert.equal(third.existing.key.creationId, second.creationId);
  });
});

describe("taking a key over", () => {
  test("key and guard in one request where the guard is cached", async (t) => {
    const { sessions, proxy, reserved, rows, storedGuard } = await openRig(t);
    const first = await reserved({ keyHash: "abc" });
    const key = reservation({ replaces: "s1" });
    proxy.take();
    const taken = "2026-01-01T00:00:00.000Z";
    const place = await sessions.takeOver(first, key, (guard) => admitAll(guard, taken));
    assert.deepEqual(proxy.take(), ["POST /$batch"]);
    assert.deepEqual((await storedGuard())?.recent, [first.taken, taken]);
    const [, row] = await rows();
    assert.deepEqual(row && readKey(row), key);
    assert.deepEqual(place, { place: first.place, version: row?.etag, key });
  });

  test("a refusal of admit changes neither key nor guard", async (t) => {
    const { sessions, reserved, rows } = await openRig(t);
    const first = await reserved({ keyHash: "abc" });
    const before = await rows();
    await assert.rejects(sessions.takeOver(first, reservation(), refuseKnown), (error) => error === refusal);
    assert.deepEqual(await rows(), before);
    assert.equal(await sessions.isCurrent(first), true);
  });

  test("one of many concurrent take-overs succeeds, and takes one place", async (t) => {
    const rigs = await openTwo(t);
    const [{ sessions, reserved, rows, storedGuard }] = rigs;
    const first = await reserved({ keyHash: "abc" });
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, n) => rigs[n % 2]?.sessions.takeOver(first, reservation(), admitAll)),
    );
    const [winner, ...others] = outcomes.filter((outcome) => outcome !== undefined);
    assert.deepEqual(others, []);
    const [, row] = await rows();
    assert.ok(row && winner);
    assert.equal((await storedGuard())?.recent.length, 2);
    assert.equal(readKey(row).creationId, winner.key.creationId);
    assert.equal(await sessions.isCurrent(first), false);
    assert.equal(await sessions.isCurrent(winner), true);
  });

  test("succeeds after a concurrent change of the guard alone", async (t) => {
    const [{ sessions, reserved, storedGuard }, other] = await openTwo(t);
    const first = await reserved({ keyHash: "abc" });
    const second = await other.reserved();
    const taken = "2026-01-01T00:00:00.000Z";
    assert.ok(await sessions.takeOver(first, reservation(), (guard) => admitAll(guard, taken)));
    assert.deepEqual((await storedGuard())?.recent, [first.taken, second.taken, taken]);
  });

  test("an erased key is not written again", async (t) => {
    const { connection, sessions, device, reserved, rows, rowKeys } = await openRig(t);
    const first = await reserved({ keyHash: "abc" });
    for (const rowKey of await rowKeys()) await connection.sessions.remove(device, rowKey);
    assert.equal(await sessions.takeOver(first, reservation(), admitAll), undefined);
    assert.deepEqual(await rows(), []);
    assert.equal(await sessions.isCurrent(first), false);
  });
});
