import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import { expiryPartition, sessionRow } from "../../../src/storage/rows/keys.ts";
import { readPlace, writePlace } from "../../../src/storage/rows/references.ts";
import { startAzurite } from "../../local/azurite.ts";
import {
  admitAll,
  createSessionStore,
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

describe("reserve", () => {
  test("a new device: key and guard in one request", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    await sessions.probe();
    proxy.take();
    const deviceCorrelationId = someDevice();
    const request = reservation({ deviceCorrelationId, bodyHash: "ff", owner: "o" });

    const place = await reserved(sessions, request);
    assert.deepEqual(proxy.take(), ["POST /$batch"]);

    const { creationId, leaseUntil, dueOn } = request;
    const key = { creationId, bodyHash: "ff", owner: "o", countedFor: "services", leaseUntil };
    const [guard, keyRow] = await rowsOf(connection.sessions, deviceCorrelationId);
    const keys = { partition: deviceCorrelationId, idempotencyRowKey: `k_${creationId}` };
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
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const first = await reserved(createSessionStore(connection), reservation({ deviceCorrelationId }));
    proxy.take();

    const guards: unknown[] = [];
    const outcome = await sessions.reserve(reservation({ deviceCorrelationId }), (guard) => {
      guards.push(guard);
      return admitAll(guard);
    });
    assert.ok("reserved" in outcome);
    assert.equal(proxy.take().length, 3);
    assert.deepEqual(guards, [undefined, { recent: [first.taken], rejectionsInARow: 0, changedOn: first.taken }]);
  });

  test("a device last written by the same process: one request", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const first = await reserved(sessions, reservation({ deviceCorrelationId }));
    proxy.take();
    const second = await reserved(sessions, reservation({ deviceCorrelationId }));
    const third = await reserved(sessions, reservation({ deviceCorrelationId }));
    assert.deepEqual(proxy.take(), ["POST /$batch", "POST /$batch"]);
    const [guard] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.equal(guard?.recent, JSON.stringify([first.taken, second.taken, third.taken]));
  });

  test("counts creations that other processes wrote after the cached guard", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const atMost = (limit: number) => (guard: Guard | undefined) => {
      if ((guard?.recent.length ?? 0) >= limit) throw new ApiError(429, "429", "too many");
      return admitAll(guard);
    };
    const others = createSessionStore(connection);
    await sessions.reserve(reservation({ deviceCorrelationId }), atMost(2));
    const another = await reserved(others, reservation({ deviceCorrelationId }));
    await assert.rejects(sessions.reserve(reservation({ deviceCorrelationId }), atMost(2)), { status: 429 });

    await giveUp({ sessions: others }, another);
    await sessions.reserve(reservation({ deviceCorrelationId }), atMost(2));
    const [guard] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.equal(JSON.parse(String(guard?.recent)).length, 2);
  });

  test("admits in spite of the cached guard where places were released or the device was removed", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const onlyOne = (guard: Guard | undefined, taken: string) => {
      if (guard !== undefined && guard.recent.length > 0) throw new ApiError(429, "429", "too many");
      return admitAll(guard, taken);
    };
    const others = createSessionStore(connection);
    const make = async () => {
      const taken = new Date().toISOString();
      const outcome = await sessions.reserve(reservation({ deviceCorrelationId }), (guard) => onlyOne(guard, taken));
      assert.ok("reserved" in outcome);
      return { ...outcome.reserved, ...readPlace(outcome.reserved.place), taken };
    };
    await giveUp({ sessions: others }, await make());
    const place = await make();
    await assert.rejects(make(), { status: 429 });
    await connection.sessions.remove(place.partition, "g");
    await make();
    const rows = await rowKeysOf(connection.sessions, deviceCorrelationId);
    assert.equal(rows.filter((row) => row === "g").length, 1);
  });

  test("an existing key is returned, also where admit would refuse", async (t) => {
    const { sessions } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const keyHash = "abc";
    const place = await reserved(sessions, reservation({ deviceCorrelationId, keyHash, bodyHash: "1" }));

    const outcome = await sessions.reserve(reservation({ deviceCorrelationId, keyHash, bodyHash: "2" }), (guard) => {
      if (guard !== undefined) throw new ApiError(429, "429", "too many");
      return admitAll(guard);
    });
    const { taken, partition, idempotencyRowKey, ...held } = place;
    assert.deepEqual(outcome, { existing: held });
    assert.equal(partition, deviceCorrelationId);
    assert.equal(idempotencyRowKey, "k_abc");
  });

  test("a refusal of admit writes nothing", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    await reserved(sessions, reservation({ deviceCorrelationId }));
    const before = await rowsOf(connection.sessions, deviceCorrelationId);

    const refusal = new ApiError(429, "429", "too many");
    const refused = sessions.reserve(reservation({ deviceCorrelationId }), (guard) => {
      if (guard !== undefined) throw refusal;
      return admitAll(guard);
    });
    await assert.rejects(refused, (error) => error === refusal);
    assert.deepEqual(await rowsOf(connection.sessions, deviceCorrelationId), before);
  });

  test("the device is set in the client: the creation's own partition", async (t) => {
    const { sessions } = await openRig(t, azurite);
    const request = reservation();
    const place = await reserved(sessions, request);
    assert.equal(place.partition, `!session_${request.creationId}`);
  });
});

describe("release", () => {
  test("removes the key row and keeps the place", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const place = await reserved(sessions, reservation({ deviceCorrelationId }));
    assert.equal(await sessions.release(place), true);
    const [guard, ...rest] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.deepEqual([guard?.recent, rest], [JSON.stringify([place.taken]), []]);
  });

  test("with a refund of the place leaves no row of a device without sessions", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const one = await reserved(sessions, reservation({ deviceCorrelationId }));
    const other = await reserved(sessions, reservation({ deviceCorrelationId }));

    await giveUp({ sessions }, one);
    const [guard, ...rest] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.equal(guard?.recent, JSON.stringify([other.taken]));
    assert.deepEqual(
      rest.map(({ rowKey }) => rowKey),
      [other.idempotencyRowKey],
    );

    assert.equal(await sessions.release(one), false);
    await giveUp({ sessions }, other);
    assert.deepEqual(await rowsOf(connection.sessions, deviceCorrelationId), []);
  });

  test("does not change a place that was committed or taken over", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const request = reservation({ deviceCorrelationId });
    const place = await reserved(sessions, request);
    assert.ok(await sessions.commit(place, newRecord(request)));
    const before = await rowsOf(connection.sessions, deviceCorrelationId);

    assert.equal(await sessions.release(place), false);
    assert.deepEqual(await rowsOf(connection.sessions, deviceCorrelationId), before);
  });
});

describe("commit", () => {
  test("session, key and pointer in two requests", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const request = reservation({ deviceCorrelationId, owner: "o" });
    const place = await reserved(sessions, request);
    const record = newRecord(request, { owner: "o", reasons: ["A", "B"], threshold: 0.25 });
    await connection.sessionIds.get("none", "none");
    proxy.take();

    assert.equal(await sessions.commit(place, record), true);
    assert.deepEqual(proxy.take(), ["POST /$batch", "PUT /sessionids"]);

    const row = sessionRow(record.createdOn, record.creationId);
    const stored = await connection.sessions.get(deviceCorrelationId, row);
    assert.deepEqual({ ...stored, ...record, reasons: '["A","B"]' }, stored, "every field is a property");
    const key = await connection.sessions.get(deviceCorrelationId, place.idempotencyRowKey);
    assert.deepEqual([key?.creationId, key?.sessionId], [record.creationId, record.sessionId]);
    const pointer = await connection.sessionIds.get(record.sessionId, record.sessionId);
    const { kind, createdOn, ttlSeconds } = record;
    const listed = {
      partition: deviceCorrelationId,
      row,
      kind,
      owner: "o",
      deviceCorrelationId,
      createdOn,
      ttlSeconds,
    };
    assert.deepEqual({ ...pointer, ...listed }, pointer);
    assert.ok(!("startedOn" in (pointer ?? {})) && !("prunedOn" in (pointer ?? {})));
  });

  for (const [name, interfere] of [
    ["gone", "remove"],
    ["taken over", "merge"],
  ] as const) {
    test(`the key is ${name} -> nothing is written`, async (t) => {
      const { sessions, connection } = await openRig(t, azurite);
      const deviceCorrelationId = someDevice();
      const request = reservation({ deviceCorrelationId });
      const place = await reserved(sessions, request);
      const rowKey = place.idempotencyRowKey;
      if (interfere === "remove") await connection.sessions.remove(deviceCorrelationId, rowKey);
      else await connection.sessions.merge({ partitionKey: deviceCorrelationId, rowKey, creationId: "another" });

      const record = newRecord(request);
      assert.equal(await sessions.commit(place, record), false);
      assert.deepEqual(
        (await rowKeysOf(connection.sessions, deviceCorrelationId)).filter((key) => key.startsWith("s_")),
        [],
      );
      assert.deepEqual(await rowsOf(connection.sessionIds, record.sessionId), []);
    });
  }

  test("a key can be taken over by another creation", async (t) => {
    const { sessions } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const first = reservation({ deviceCorrelationId, keyHash: "abc" });
    const place = await reserved(sessions, first);
    const second = reservation({ deviceCorrelationId, keyHash: "abc" });
    const outcome = await sessions.reserve(second, admitAll);
    assert.ok("existing" in outcome);

    assert.equal(await sessions.commit(outcome.existing, newRecord(second)), true);
    assert.equal(await sessions.commit(place, newRecord(first)), false);
    const third = await sessions.reserve(reservation({ deviceCorrelationId, keyHash: "abc" }), admitAll);
    assert.ok("existing" in third);
    assert.equal(third.existing.key.creationId, second.creationId);
  });
});
