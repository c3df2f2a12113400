import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import type { NewImage } from "../../../src/liveness/model/images.ts";
import type { ScheduleEntry } from "../../../src/liveness/model/schedule.ts";
import { readGuard } from "../../../src/storage/rows/other-rows.ts";
import { locationOf, readPlace, writePlace } from "../../../src/storage/rows/references.ts";
import { startAzurite } from "../../local/azurite.ts";
import type { SeenRequest } from "./storage-proxy.ts";
import {
  admitAll,
  committed,
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

/**
 * Storage carries out a write and its answer is lost: the retry meets the result of the first request. The caller must not
 * notice.
 */

const azurite = await startAzurite();
after(() => azurite.stop());

const isTransaction = ({ path }: SeenRequest) => path === "/$batch";
const isWriteTo = (table: string) => (request: SeenRequest) =>
  request.method !== "GET" && request.path.startsWith(`/${table}`);
const isWrite = ({ method }: SeenRequest) => method !== "GET" && method !== "HEAD";

describe("a lost answer", () => {
  test("a new device's reservation: no conflict, one place", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const taken = new Date().toISOString();
    const onlyOne = (guard: Guard | undefined) => {
      if (guard !== undefined) throw new ApiError(429, "429", "One is all there is.");
      return admitAll(guard, taken);
    };
    await sessions.probe();
    proxy.inject("lose-answer", isTransaction);
    const request = reservation({ deviceCorrelationId });
    const outcome = await sessions.reserve(request, onlyOne);
    assert.equal(proxy.strikes(), 1);
    assert.ok("reserved" in outcome);

    const [guard, key] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.ok(guard);
    assert.deepEqual(readGuard(guard).recent, [taken]);
    assert.deepEqual([key?.etag, key?.creationId], [outcome.reserved.version, request.creationId]);
    assert.ok(await sessions.commit(outcome.reserved, newRecord(request)));
  });

  for (const [knownBy, replacing] of [
    ["the same process", 1],
    ["another process", 2],
  ] as const) {
    test(`the reservation of a device known to ${knownBy}: no conflict, one place`, async (t) => {
      const { sessions, connection, proxy } = await openRig(t, azurite);
      const deviceCorrelationId = someDevice();
      const knowing = knownBy === "the same process" ? sessions : createSessionStore(connection);
      const first = await reserved(knowing, reservation({ deviceCorrelationId }));
      const taken = new Date().toISOString();
      const upToTwo = (guard: Guard | undefined) => {
        if (guard?.recent.length === 2) throw new ApiError(429, "429", "Two is all there is.");
        return admitAll(guard, taken);
      };
      // The transaction that replaces the guard.
      let transactions = 0;
      proxy.inject("lose-answer", (request) => isTransaction(request) && ++transactions === replacing);
      const request = reservation({ deviceCorrelationId });
      const outcome = await sessions.reserve(request, upToTwo);
      assert.equal(proxy.strikes(), 1);
      assert.ok("reserved" in outcome);
      const [guard] = await rowsOf(connection.sessions, deviceCorrelationId);
      assert.ok(guard);
      assert.deepEqual(readGuard(guard).recent, [first.taken, taken]);
      await giveUp({ sessions }, { ...outcome.reserved, taken });
      assert.deepEqual(await rowKeysOf(connection.sessions, deviceCorrelationId), ["g", first.idempotencyRowKey]);
    });
  }

  test("a reservation with a key: still the caller's own", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    await sessions.probe();
    proxy.inject("lose-answer", isTransaction);
    const request = reservation({ deviceCorrelationId, keyHash: "abc" });
    const outcome = await sessions.reserve(request, admitAll);
    assert.ok("reserved" in outcome && outcome.reserved.key.creationId === request.creationId);
    const repeat = await sessions.reserve(reservation({ deviceCorrelationId, keyHash: "abc" }), admitAll);
    assert.ok("existing" in repeat && repeat.existing.key.creationId === request.creationId);
  });

  test("a take-over: still the caller's own, one place", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const first = await reserved(sessions, reservation({ deviceCorrelationId, keyHash: "abc" }));
    const taken = new Date().toISOString();
    const upToTwo = (guard: Guard | undefined) => {
      if (guard?.recent.length === 2) throw new ApiError(429, "429", "Two is all there is.");
      return admitAll(guard, taken);
    };
    const { creationId, countedFor, leaseUntil, dueOn } = reservation();
    proxy.inject("lose-answer", isTransaction);
    const place = await sessions.takeOver(first, { creationId, countedFor, leaseUntil, dueOn }, upToTwo);
    assert.equal(proxy.strikes(), 1);
    const [guard, key] = await rowsOf(connection.sessions, deviceCorrelationId);
    assert.ok(guard);
    assert.deepEqual(readGuard(guard).recent, [first.taken, taken]);
    assert.deepEqual([place?.version, place?.key.creationId], [key?.etag, creationId]);
  });

  for (const [name, isLost] of [
    ["transaction", isTransaction],
    ["pointer", isWriteTo("sessionids")],
  ] as const) {
    test(`the commit's ${name}: committed`, async (t) => {
      const { sessions, proxy } = await openRig(t, azurite);
      const deviceCorrelationId = someDevice();
      const request = reservation({ deviceCorrelationId });
      const place = await reserved(sessions, request);
      const record = newRecord(request);
      proxy.inject("lose-answer", isLost);
      assert.equal(await sessions.commit(place, record), true);
      assert.equal(proxy.strikes(), 1);
      assert.deepEqual((await sessions.find(record.sessionId))?.record, record);
    });
  }

  test("a commit that lost a race: still lost", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const deviceCorrelationId = someDevice();
    const request = reservation({ deviceCorrelationId });
    const place = await reserved(sessions, request);
    await connection.sessions.remove(place.partition, place.idempotencyRowKey);
    const record = newRecord(request);
    proxy.inject("lose-answer", isTransaction);
    assert.equal(await sessions.commit(place, record), false);
    assert.equal(await sessions.find(record.sessionId), undefined);
    assert.deepEqual(await rowsOf(connection.sessionIds, record.sessionId), []);
  });

  test("all tries of the commit's transaction: resolved by a read", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite, { retries: 0 });
    const request = reservation({ deviceCorrelationId: someDevice() });
    const place = await reserved(sessions, request);
    const record = newRecord(request);
    proxy.inject("lose-answer", isTransaction);
    assert.equal(await sessions.commit(place, record), true);
    assert.deepEqual((await sessions.find(record.sessionId))?.record, record);
  });

  test("a commit that never arrived: no pointer", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite, { retries: 0 });
    const request = reservation({ deviceCorrelationId: someDevice() });
    const place = await reserved(sessions, request);
    const record = newRecord(request);
    proxy.inject("break", isTransaction);
    await assert.rejects(sessions.commit(place, record), { code: "StorageUnavailable" });
    assert.deepEqual(await rowsOf(connection.sessionIds, record.sessionId), []);
  });

  test("an update: no conflict, and its ETag is valid", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const stored = await committed(sessions, someDevice(), { apiVersion: "v1.2-preview.1" });
    const { sessionId } = stored.record;
    const entries = [{ entryId: "1", sessionId, entry: { attemptId: 1, attemptStatus: "Succeeded" } }];
    proxy.inject("lose-answer", isTransaction);
    proxy.inject("lose-answer", isWriteTo("sessionids"));
    const record = { ...stored.record, attempts: 1, startedOn: stored.record.createdOn, reasons: ["A"] };
    const updated = await sessions.update(stored, record, entries);
    assert.equal(proxy.strikes(), 2);
    assert.deepEqual(updated, await sessions.find(sessionId));
    assert.deepEqual(updated?.record, record);
    assert.deepEqual(await sessions.auditEntries(stored), entries);
    assert.ok(updated && (await sessions.update(updated, { ...record, final: true })));
  });

  test("an update that lost a race: still a conflict", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const stored = await committed(sessions);
    assert.ok(await sessions.update(stored, { ...stored.record, attempts: 1 }));
    proxy.inject("lose-answer", isTransaction);
    assert.equal(await sessions.update(stored, { ...stored.record, attempts: 2 }), undefined);
    assert.equal((await sessions.find(stored.record.sessionId))?.record.attempts, 1);
  });

  test("a release: one place is given back", async (t) => {
    for (const lost of [1, 2]) {
      const { sessions, connection, proxy } = await openRig(t, azurite);
      const deviceCorrelationId = someDevice();
      // Two creations in one millisecond have the same time.
      const taken = "2026-01-01T00:00:00.000Z";
      const sameTime = (guard: Guard | undefined) => admitAll(guard, taken);
      const first = await sessions.reserve(reservation({ deviceCorrelationId }), sameTime);
      const second = await sessions.reserve(reservation({ deviceCorrelationId }), sameTime);
      assert.ok("reserved" in first && "reserved" in second);
      let writes = 0;
      proxy.inject("lose-answer", (request) => isWrite(request) && ++writes === lost);
      await giveUp({ sessions }, { ...second.reserved, taken });
      assert.equal(proxy.strikes(), 1);
      const [guard, ...keys] = await rowsOf(connection.sessions, deviceCorrelationId);
      assert.ok(guard);
      assert.deepEqual(readGuard(guard).recent, [taken]);
      assert.deepEqual(
        keys.map(({ rowKey }) => rowKey),
        [readPlace(first.reserved.place).idempotencyRowKey],
      );
    }
  });

  test("a write of the schedule: no change", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    const row = (creationId: string): ScheduleEntry => ({
      creationId,
      phase: "collect",
      dueOn: "2026-01-01T00:00:00.000Z",
      createdOn: "2026-01-01T00:00:00.000Z",
      place: writePlace({ partition: "p", idempotencyRowKey: "k_1" }),
    });
    await sessions.schedule(row("0"));
    proxy.inject("lose-answer", isWrite);
    await sessions.schedule(row("1"));
    proxy.inject("lose-answer", isWrite);
    await sessions.unschedule([row("0"), row("1")]);
    proxy.inject("lose-answer", isWrite);
    await sessions.schedule(row("2"));
    proxy.inject("lose-answer", isWrite);
    await sessions.unschedule([row("2")]);
    assert.equal(proxy.strikes(), 4);
    assert.deepEqual(await rowsOf(connection.expiry, "0_202601010000"), []);
  });

  test("any write of a purge: nothing is left", async (t) => {
    const { sessions, connection, proxy } = await openRig(t, azurite);
    for (let lost = 1; lost <= 4; lost++) {
      const stored = await committed(sessions);
      const { sessionId } = stored.record;
      await sessions.update(stored, stored.record, [
        { entryId: "1", sessionId, entry: { attemptId: 1, attemptStatus: "Succeeded" } },
      ]);
      let writes = 0;
      proxy.inject("lose-answer", (request) => isWrite(request) && ++writes === lost);
      await sessions.purge(stored);
      assert.equal(proxy.strikes(), lost);
      assert.deepEqual(await rowsOf(connection.sessions, locationOf(stored).partition), []);
      assert.deepEqual(await rowsOf(connection.sessionIds, sessionId), []);
    }
  });

  test("a mark of a pointer: no change", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const { record } = await committed(sessions);
    proxy.inject("lose-answer", isWrite);
    await sessions.markPruned(record.sessionId, record.expiresOn);
    assert.equal(proxy.strikes(), 1);
    assert.equal((await sessions.find(record.sessionId))?.prunedOn, record.expiresOn);
  });
});

describe("a lost answer about an image", () => {
  const image = (text: string): NewImage => ({
    bytes: Buffer.from(text),
    facts: { contentType: "image/jpeg", width: 100, height: 100, sha256: Buffer.from(text).toString("hex") },
  });

  test("a put: still reported as stored, and its condition holds", async (t) => {
    const { images, proxy } = await openRig(t, azurite);
    await images.probe();
    for (const replaces of [undefined, "none"] as const) {
      const name = `held/${someDevice()}` as const;
      const before = proxy.strikes();
      proxy.inject("lose-answer", isWrite);
      const version = await images.put(name, image("1"), replaces);
      assert.equal(proxy.strikes(), before + 1);
      assert.ok(version);
      assert.equal((await images.facts(name))?.version, version);

      proxy.inject("lose-answer", isWrite);
      const replaced = await images.put(name, image("2"), version);
      assert.ok(replaced);
      assert.equal((await images.facts(name))?.version, replaced);
      assert.deepEqual((await images.get(name))?.bytes, Buffer.from("2"));
    }
  });

  test("a put after a concurrent put: a conflict", async (t) => {
    const { images, proxy } = await openRig(t, azurite);
    const name = `held/${someDevice()}` as const;
    await images.put(name, image("1"));
    proxy.inject("lose-answer", isWrite);
    assert.equal(await images.put(name, image("2"), "none"), undefined);
    assert.deepEqual((await images.get(name))?.bytes, Buffer.from("1"));
  });

  test("a delete: still reported as deleted", async (t) => {
    const { images, proxy } = await openRig(t, azurite);
    for (const conditional of [false, true]) {
      const name = `held/${someDevice()}` as const;
      const version = await images.put(name, image("1"));
      proxy.inject("lose-answer", ({ method }) => method === "DELETE");
      assert.equal(await images.delete(name, conditional ? version : undefined), true);
      assert.equal(await images.facts(name), undefined);
    }
    assert.equal(proxy.strikes(), 2);
  });
});
