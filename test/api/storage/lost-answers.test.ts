import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Guard } from "../../../src/liveness/model/guard.ts";
import type { NewImage } from "../../../src/liveness/model/images.ts";
import type { ScheduleEntry } from "../../../src/liveness/model/schedule.ts";
import { guardRow, ownerPartition, readPlace, writePlace } from "../../../src/storage/rows/keys.ts";
import { readGuard } from "../../../src/storage/rows/rows.ts";
import { createDevices } from "../../../src/storage/stores/devices.ts";
import type { SeenRequest } from "./storage-proxy.ts";
import {
  admitAll,
  admitUpTo,
  audit,
  newRecord,
  openRig,
  openWithSession,
  processOn,
  rowsOf,
  someDevice,
} from "./storage-rig.ts";

/**
 * Storage carries out a write and its answer is lost: the retry meets the result of the first request. The caller must not
 * notice.
 */

const isTransaction = ({ path }: SeenRequest) => path === "/$batch";
const isWriteTo = (table: string) => (request: SeenRequest) =>
  request.method !== "GET" && request.path.startsWith(`/${table}`);
const isWrite = ({ method }: SeenRequest) => method !== "GET" && method !== "HEAD";
/** Matches the `number`th request, from 1, for which `matches` holds. */
const only = (number: number, matches: (request: SeenRequest) => boolean) => {
  let count = 0;
  return (request: SeenRequest) => matches(request) && ++count === number;
};

describe("a lost answer", () => {
  test("a new device's reservation: no conflict, one place", async (t) => {
    const { sessions, proxy, reservation, rows, storedGuard } = await openRig(t);
    const taken = new Date().toISOString();
    await sessions.probe();
    proxy.inject("lose-answer", isTransaction);
    const request = reservation();
    const outcome = await sessions.reserve(request, admitUpTo(1, taken));
    assert.equal(proxy.strikes(), 1);
    assert.ok("reserved" in outcome);

    assert.deepEqual((await storedGuard())?.recent, [taken]);
    const [, key] = await rows();
    assert.deepEqual([key?.etag, key?.creationId], [outcome.reserved.version, request.creationId]);
    assert.ok(await sessions.commit(outcome.reserved, newRecord(request)));
  });

  for (const [knownBy, replacing] of [
    ["the same process", 1],
    ["another process", 2],
  ] as const) {
    test(`the reservation of a device known to ${knownBy}: no conflict, one place`, async (t) => {
      const rig = await openRig(t);
      const { sessions, proxy, reservation, giveUp, rowKeys, storedGuard } = rig;
      const first = await (knownBy === "the same process" ? rig : processOn(rig)).reserved();
      const taken = new Date().toISOString();
      // The transaction that replaces the guard.
      proxy.inject("lose-answer", only(replacing, isTransaction));
      const outcome = await sessions.reserve(reservation(), admitUpTo(2, taken));
      assert.equal(proxy.strikes(), 1);
      assert.ok("reserved" in outcome);
      assert.deepEqual((await storedGuard())?.recent, [first.taken, taken]);
      await giveUp({ ...outcome.reserved, taken });
      assert.deepEqual(await rowKeys(), ["g", first.idempotencyRowKey]);
    });
  }

  test("a reservation with a key: still the caller's own", async (t) => {
    const { sessions, proxy, reservation } = await openRig(t);
    await sessions.probe();
    proxy.inject("lose-answer", isTransaction);
    const request = reservation({ keyHash: "abc" });
    const outcome = await sessions.reserve(request, admitAll);
    assert.ok("reserved" in outcome && outcome.reserved.key.creationId === request.creationId);
    const repeat = await sessions.reserve(reservation({ keyHash: "abc" }), admitAll);
    assert.ok("existing" in repeat && repeat.existing.key.creationId === request.creationId);
  });

  test("a take-over: still the caller's own, one place", async (t) => {
    const { sessions, proxy, reservation, reserved, rows, storedGuard } = await openRig(t);
    const first = await reserved({ keyHash: "abc" });
    const taken = new Date().toISOString();
    const { creationId, countedFor, leaseUntil, dueOn } = reservation();
    proxy.inject("lose-answer", isTransaction);
    const place = await sessions.takeOver(first, { creationId, countedFor, leaseUntil, dueOn }, admitUpTo(2, taken));
    assert.equal(proxy.strikes(), 1);
    assert.deepEqual((await storedGuard())?.recent, [first.taken, taken]);
    const [, key] = await rows();
    assert.deepEqual([place?.version, place?.key.creationId], [key?.etag, creationId]);
  });

  for (const [name, isLost] of [
    ["transaction", isTransaction],
    ["pointer", isWriteTo("sessionids")],
  ] as const) {
    test(`the commit's ${name}: committed`, async (t) => {
      const { sessions, proxy, begun } = await openRig(t);
      const { place, record } = await begun();
      proxy.inject("lose-answer", isLost);
      assert.equal(await sessions.commit(place, record), true);
      assert.equal(proxy.strikes(), 1);
      assert.deepEqual((await sessions.find(record.sessionId))?.record, record);
    });
  }

  test("a commit that lost a race: still lost", async (t) => {
    const { connection, sessions, proxy, begun, pointersOf } = await openRig(t);
    const { place, record } = await begun();
    await connection.sessions.remove(place.partition, place.idempotencyRowKey);
    proxy.inject("lose-answer", isTransaction);
    assert.equal(await sessions.commit(place, record), false);
    assert.equal(await sessions.find(record.sessionId), undefined);
    assert.deepEqual(await pointersOf(record.sessionId), []);
  });

  test("all tries of the commit's transaction: resolved by a read", async (t) => {
    const { sessions, proxy, begun } = await openRig(t, { retryPolicy: { retries: 0 } });
    const { place, record } = await begun();
    proxy.inject("lose-answer", isTransaction);
    assert.equal(await sessions.commit(place, record), true);
    assert.deepEqual((await sessions.find(record.sessionId))?.record, record);
  });

  test("a commit that never arrived: no pointer", async (t) => {
    const { sessions, proxy, begun, pointersOf } = await openRig(t, { retryPolicy: { retries: 0 } });
    const { place, record } = await begun();
    proxy.inject("break", isTransaction);
    await assert.rejects(sessions.commit(place, record), { code: "StorageUnavailable" });
    assert.deepEqual(await pointersOf(record.sessionId), []);
  });

  test("an update: no conflict, and its ETag is valid", async (t) => {
    const { sessions, proxy, stored } = await openWithSession(t, { apiVersion: "v1.2-preview.1" });
    const entries = [audit(stored)];
    proxy.inject("lose-answer", isTransaction);
    proxy.inject("lose-answer", isWriteTo("sessionids"));
    const record = { ...stored.record, attempts: 1, startedOn: stored.record.createdOn, reasons: ["A"] };
    const updated = await sessions.update(stored, record, entries);
    assert.equal(proxy.strikes(), 2);
    assert.deepEqual(updated, await sessions.find(record.sessionId));
    assert.deepEqual(updated?.record, record);
    assert.deepEqual(await sessions.auditEntries(stored), entries);
    assert.ok(updated && (await sessions.update(updated, { ...record, final: true })));
  });

  test("an update that lost a race: still a conflict", async (t) => {
    const { sessions, proxy, stored } = await openWithSession(t);
    assert.ok(await sessions.update(stored, { ...stored.record, attempts: 1 }));
    proxy.inject("lose-answer", isTransaction);
    assert.equal(await sessions.update(stored, { ...stored.record, attempts: 2 }), undefined);
    assert.equal((await sessions.find(stored.record.sessionId))?.record.attempts, 1);
  });

  test("a release: one place is given back", async (t) => {
    for (const lost of [1, 2]) {
      const { sessions, proxy, reservation, giveUp, rowKeys, storedGuard } = await openRig(t);
      // Two creations in one millisecond have the same time.
      const taken = "2026-01-01T00:00:00.000Z";
      const sameTime = (guard: Guard | undefined) => admitAll(guard, taken);
      const first = await sessions.reserve(reservation(), sameTime);
      const second = await sessions.reserve(reservation(), sameTime);
      assert.ok("reserved" in first && "reserved" in second);
      proxy.inject("lose-answer", only(lost, isWrite));
      await giveUp({ ...second.reserved, taken });
      assert.equal(proxy.strikes(), 1);
      assert.deepEqual((await storedGuard())?.recent, [taken]);
      assert.deepEqual(await rowKeys(), ["g", readPlace(first.reserved.place).idempotencyRowKey]);
    }
  });

  test("a write of the schedule: no change", async (t) => {
    const { connection, sessions, proxy } = await openRig(t);
    const row = (creationId: string): ScheduleEntry => ({
      creationId,
      phase: "collect",
      dueOn: "2026-01-01T00:00:00.000Z",
      createdOn: "2026-01-01T00:00:00.000Z",
      place: writePlace({ partition: "p", idempotencyRowKey: "k_1" }),
    });
    await sessions.schedule(row("0"));
    for (const write of [
      () => sessions.schedule(row("1")),
      () => sessions.unschedule([row("0"), row("1")]),
      () => sessions.schedule(row("2")),
      () => sessions.unschedule([row("2")]),
    ]) {
      proxy.inject("lose-answer", isWrite);
      await write();
    }
    assert.equal(proxy.strikes(), 4);
    assert.deepEqual(await rowsOf(connection.expiry, "0_202601010000"), []);
  });

  test("any write of a purge: nothing is left", async (t) => {
    const { sessions, proxy, committed, rows, pointersOf } = await openRig(t);
    for (let lost = 1; lost <= 4; lost++) {
      const stored = await committed();
      await sessions.update(stored, stored.record, [audit(stored)]);
      proxy.inject("lose-answer", only(lost, isWrite));
      await sessions.purge(stored);
      assert.equal(proxy.strikes(), lost);
      assert.deepEqual(await rows(), []);
      assert.deepEqual(await pointersOf(stored.record.sessionId), []);
    }
  });

  test("a write of a principal's own guard: counted once", async (t) => {
    const { connection, proxy } = await openRig(t);
    const owner = someDevice();
    const times = ["2026-03-01T12:00:00.000Z", "2026-03-01T12:00:01.000Z"];
    for (const time of times) {
      proxy.inject("lose-answer", isTransaction);
      await createDevices(connection).editOwnerGuard(owner, (known) => admitAll(known, time));
    }
    assert.equal(proxy.strikes(), 2);
    const entity = await connection.sessions.get(ownerPartition(owner), guardRow);
    assert.deepEqual(entity && readGuard(entity).recent, times);
  });

  test("a mark of a pointer: no change", async (t) => {
    const { sessions, proxy, committed } = await openRig(t);
    const { record } = await committed();
    proxy.inject("lose-answer", isWrite);
    await sessions.hide(record.sessionId, record.expiresOn);
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
    const { images, proxy } = await openRig(t);
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
    const { images, proxy } = await openRig(t);
    const name = `held/${someDevice()}` as const;
    await images.put(name, image("1"));
    proxy.inject("lose-answer", isWrite);
    assert.equal(await images.put(name, image("2"), "none"), undefined);
    assert.deepEqual((await images.get(name))?.bytes, Buffer.from("1"));
  });

  test("a delete: still reported as deleted", async (t) => {
    const { images, proxy } = await openRig(t);
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
