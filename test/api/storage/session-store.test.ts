import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { placed } from "../../../src/liveness/model/session.ts";
import { locationOf, sessionCreatedOn, versionOf, writePlace } from "../../../src/storage/rows/keys.ts";
import { readGuard } from "../../../src/storage/rows/rows.ts";
import { createSessionImages } from "../../../src/storage/stores/session-images.ts";
import { audit, openRig, openWithSession } from "./storage-rig.ts";

describe("find and load", () => {
  test("two requests through the pointer, one by partition and row", async (t) => {
    const { sessions, proxy, stored } = await openWithSession(t);
    proxy.take();
    assert.deepEqual(await sessions.find(stored.record.sessionId), stored);
    assert.deepEqual(proxy.take(), ["GET /sessionids", "GET /sessions"]);
    assert.deepEqual(await sessions.load(placed(stored)), stored);
    assert.deepEqual(proxy.take(), ["GET /sessions"]);
  });

  test("missing -> undefined", async (t) => {
    const { connection, sessions, device, committed } = await openRig(t);
    assert.equal(await sessions.find(randomUUID()), undefined);
    const place = writePlace({ partition: "unknown", idempotencyRowKey: "k_1" });
    const missing = { place, creationId: randomUUID(), createdOn: new Date().toISOString() };
    assert.equal(await sessions.load(missing), undefined);
    const stored = await committed();
    await connection.sessions.remove(device, locationOf(stored).row);
    assert.equal(await sessions.find(stored.record.sessionId), undefined);
  });

  test("a hidden session is marked", async (t) => {
    const { sessions, stored } = await openWithSession(t);
    const prunedOn = new Date().toISOString();
    await sessions.hide(stored.record.sessionId, prunedOn);
    assert.deepEqual(await sessions.find(stored.record.sessionId), { ...stored, prunedOn });
    const unknown = randomUUID();
    await sessions.hide(unknown, prunedOn);
    assert.equal(await sessions.find(unknown), undefined);
  });

  test("a session without a pointer is found again", async (t) => {
    const { connection, sessions, stored } = await openWithSession(t);
    const { sessionId, createdOn } = stored.record;
    assert.equal(sessionCreatedOn(locationOf(stored).row), createdOn);
    await connection.sessionIds.remove(sessionId, sessionId);
    assert.equal(await sessions.find(sessionId), undefined);
    assert.equal(await sessions.restorePointer(stored), true);
    assert.deepEqual(await sessions.find(sessionId), stored);
    assert.equal(await sessions.restorePointer(stored), false);
  });
});

describe("update", () => {
  test("record and audit entries in one request", async (t) => {
    const { sessions, proxy, stored } = await openWithSession(t, { referenceImageHash: "to be dropped" });
    proxy.take();

    const { referenceImageHash, ...rest } = stored.record;
    const record = { ...rest, status: "Succeeded", attempts: 2, final: true, decision: "accepted" as const };
    const updated = await sessions.update(stored, record, [audit(stored, "10"), audit(stored, "9")]);
    assert.deepEqual(proxy.take(), ["POST /$batch"]);

    assert.deepEqual(await sessions.find(record.sessionId), updated);
    assert.deepEqual(updated?.record, record);
    assert.deepEqual(await sessions.auditEntries(stored), [audit(stored, "9"), audit(stored, "10")]);
  });

  test("marks the start of a preview's session in the pointer, once", async (t) => {
    const { sessions, proxy, committed, pointersOf } = await openRig(t);
    const stable = await committed();
    const stored = await committed({ apiVersion: "v1.2-preview.1" });
    proxy.take();
    await sessions.update(stable, { ...stable.record, startedOn: stable.record.createdOn });
    assert.deepEqual(proxy.take(), ["POST /$batch"]);
    const startedOn = new Date().toISOString();
    const started = await sessions.update(stored, { ...stored.record, startedOn });
    assert.ok(started);
    assert.deepEqual(proxy.take(), ["PATCH /sessionids", "POST /$batch"]);
    assert.ok(await sessions.update(started, { ...started.record, status: "Running" }));
    assert.deepEqual(proxy.take(), ["POST /$batch"]);
    assert.equal((await pointersOf(stored.record.sessionId))[0]?.startedOn, startedOn);
  });

  test("ETag conflict -> nothing is written", async (t) => {
    const { sessions, stored } = await openWithSession(t);
    const winner = await sessions.update(stored, { ...stored.record, status: "Running" });
    const loser = await sessions.update(stored, { ...stored.record, status: "Failed" }, [audit(stored, "1")]);
    assert.equal(loser, undefined);
    assert.deepEqual(await sessions.find(stored.record.sessionId), winner);
    assert.deepEqual(await sessions.auditEntries(stored), []);
  });

  test("a removed record is not written again", async (t) => {
    const { sessions, rows, pointersOf, stored } = await openWithSession(t);
    await sessions.purge(stored);
    const startedOn = new Date().toISOString();
    assert.equal(await sessions.update(stored, { ...stored.record, startedOn }, [audit(stored, "1")]), undefined);
    assert.deepEqual(await rows(), []);
    assert.deepEqual(await pointersOf(stored.record.sessionId), []);
  });

  test("more entries than one transaction holds, and long ones", async (t) => {
    const { sessions, stored } = await openWithSession(t);
    const entries = Array.from({ length: 250 }, (_, n) =>
      audit(stored, String(n + 1), "y".repeat(n === 7 ? 70_000 : 9)),
    );
    const updated = await sessions.update(stored, { ...stored.record, attempts: 250 }, entries);
    assert.equal(updated?.record.attempts, 250);
    assert.deepEqual(await sessions.auditEntries(stored), entries);

    assert.ok(await sessions.update(updated, { ...updated.record, attempts: 251 }, [audit(stored, "3", "again")]));
    const trail = await sessions.auditEntries(stored);
    assert.equal(trail.length, 250);
    assert.deepEqual(trail[2], audit(stored, "3", "again"));
  });

  test("guard and record change together or not at all", async (t) => {
    const { connection, sessions, proxy, device, stored } = await openWithSession(t);
    const guardOf = async () => {
      const entity = await connection.sessions.get(device, "g");
      assert.ok(entity);
      return { ...readGuard(entity), etag: entity.etag };
    };
    const { etag, recent } = await guardOf();
    const lockedUntil = "2026-01-01T00:30:00.000Z";
    proxy.take();
    const changedOn = "2026-01-01T00:00:00.000Z";
    const change = { rejectionsInARow: 5, lockedUntil, changedOn };
    const updated = await sessions.update(stored, { ...stored.record, attempts: 1 }, [audit(stored, "1")], {
      change,
      version: versionOf(etag),
    });
    assert.deepEqual(proxy.take(), ["POST /$batch"]);
    assert.deepEqual(await sessions.find(stored.record.sessionId), updated);
    const { etag: newEtag, ...guard } = await guardOf();
    assert.deepEqual(guard, { recent, ...change });

    assert.ok(updated && newEtag !== etag);
    const late = { change: { rejectionsInARow: 9, changedOn }, version: versionOf(etag) };
    assert.equal(await sessions.update(updated, { ...updated.record, attempts: 2 }, [], late), undefined);
    assert.deepEqual(await sessions.find(stored.record.sessionId), updated);
    assert.ok(await sessions.update(updated, updated.record, [], { change: { rejectionsInARow: 0, changedOn } }));
    assert.equal((await guardOf()).rejectionsInARow, 0);
  });

  test("creates a missing guard", async (t) => {
    const { connection, sessions, device, storedGuard, stored } = await openWithSession(t);
    await connection.sessions.remove(device, "g");
    const change = { rejectionsInARow: 1, changedOn: "2026-01-01T00:00:00.000Z" };
    assert.ok(await sessions.update(stored, stored.record, [], { change }));
    assert.deepEqual(await storedGuard(), { recent: [], ...change });
  });
});

describe("the link from an image of an attempt to its session", () => {
  test("is found by the image's id, and is no session", async (t) => {
    const { connection, sessions, committed } = await openRig(t);
    const links = createSessionImages(connection);
    const { record } = await committed();
    const image = randomUUID();
    await links.link(image, record.sessionId);
    assert.equal(await links.sessionOf(image), record.sessionId);
    assert.equal(await sessions.find(image), undefined);
    await links.unlink(image);
    assert.equal(await links.sessionOf(image), undefined);
  });

  test("neither overwrites nor removes a session of the same id", async (t) => {
    const { connection, sessions, committed } = await openRig(t);
    const links = createSessionImages(connection);
    const stored = await committed();
    const { sessionId } = stored.record;
    await links.link(sessionId, randomUUID());
    assert.deepEqual(await sessions.find(sessionId), stored);
    await links.unlink(sessionId);
    assert.deepEqual(await sessions.find(sessionId), stored);
  });

  test("any image id of the service", async (t) => {
    const { connection } = await openRig(t);
    const links = createSessionImages(connection);
    for (const image of ["a/b+c==", "a\\b", "?#%", "'", "é", "x".repeat(2000)]) {
      await links.link(image, "a-session");
      assert.equal(await links.sessionOf(image), "a-session", image);
      await links.unlink(image);
    }
  });
});
