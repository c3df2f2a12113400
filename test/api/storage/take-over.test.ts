import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { readGuard, readKey } from "../../../src/storage/rows/other-rows.ts";
import { startAzurite } from "../../local/azurite.ts";
import { admitAll, openRig, reservation, reserved, rowsOf, someDevice } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

const keyOf = (overrides: Parameters<typeof reservation>[0] = {}) => reservation(overrides);

describe("taking a key over", () => {
  test("key and guard in one request where the guard is cached", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const first = await reserved(sessions, reservation({ deviceCorrelationId, keyHash: "abc" }));
    const key = keyOf({ replaces: "s1" });
    proxy.take();
    const taken = "2026-01-01T00:00:00.000Z";
    const place = await sessions.takeOver(first, key, (guard) => admitAll(guard, taken));
    assert.deepEqual(proxy.take(), ["POST /$batch"]);
    const [guard, row] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.ok(guard && row);
    assert.deepEqual(readGuard(guard).recent, [first.taken, taken]);
    assert.deepEqual(readKey(row), key);
    assert.deepEqual(place, { place: first.place, version: row.etag, key });
  });

  test("a refusal of admit changes neither key nor guard", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const first = await reserved(sessions, reservation({ deviceCorrelationId, keyHash: "abc" }));
    const before = await rowsOf(connection.sessions, deviceCorrelationId);
    const refusal = new ApiError(429, "429", "too many");
    const refused = sessions.takeOver(first, keyOf(), (guard) => {
      if (guard !== undefined) throw refusal;
      return admitAll(guard);
    });
    await assert.rejects(refused, (error) => error === refusal);
    assert.deepEqual(await rowsOf(connection.sessions, deviceCorrelationId), before);
    assert.equal(await sessions.isCurrent(first), true);
  });

  test("one of many concurrent take-overs succeeds, and takes one place", async (t) => {
    const rigs = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const [{ sessions, connection }] = rigs;
    const deviceCorrelationId = someDevice();
    const first = await reserved(sessions, reservation({ deviceCorrelationId, keyHash: "abc" }));
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, n) => rigs[n % 2]?.sessions.takeOver(first, keyOf(), admitAll)),
    );
    const [winner, ...others] = outcomes.filter((outcome) => outcome !== undefined);
    assert.deepEqual(others, []);
    const [guard, row] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.ok(guard && row && winner);
    assert.equal(readGuard(guard).recent.length, 2);
    assert.equal(readKey(row).creationId, winner.key.creationId);
    assert.equal(await sessions.isCurrent(first), false);
    assert.equal(await sessions.isCurrent(winner), true);
  });

  test("succeeds after a concurrent change of the guard alone", async (t) => {
    const [{ sessions, connection }, other] = await Promise.all([openRig(t, azurite), openRig(t, azurite)]);
    const deviceCorrelationId = someDevice();
    const first = await reserved(sessions, reservation({ deviceCorrelationId, keyHash: "abc" }));
    const second = await reserved(other.sessions, reservation({ deviceCorrelationId }));
    const taken = "2026-01-01T00:00:00.000Z";
    assert.ok(await sessions.takeOver(first, keyOf(), (guard) => admitAll(guard, taken)));
    const [guard] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.ok(guard);
    assert.deepEqual(readGuard(guard).recent, [first.taken, second.taken, taken]);
  });

  test("an erased key is not written again", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const first = await reserved(sessions, reservation({ deviceCorrelationId, keyHash: "abc" }));
    for (const { rowKey } of await rowsOf(connection.sessions, deviceCorrelationId)) {
      await connection.sessions.remove(deviceCorrelationId, rowKey);
    }
    assert.equal(await sessions.takeOver(first, keyOf(), admitAll), undefined);
    assert.deepEqual(await rowsOf(connection.sessions, deviceCorrelationId), []);
    assert.equal(await sessions.isCurrent(first), false);
  });
});
