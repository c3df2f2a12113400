import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { writePointer } from "../../../src/storage/rows/rows.ts";
import { newRecord, openRig, type Rig, reservation, someDevice } from "./storage-rig.ts";

const minutes = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();
const badArgument = (error: unknown) =>
  error instanceof ApiError && error.status === 400 && error.code === "BadArgument";

describe("sessionsOfDevice", () => {
  test("newest first, in pages of the requested size", async (t) => {
    const { sessions, proxy, device, committed } = await openRig(t);
    for (const n of [3, 1, 6, 0, 2, 5, 4]) await committed({ createdOn: minutes(n) });
    proxy.take();

    const pages: string[][] = [];
    let continuationToken: string | undefined;
    do {
      const page = await sessions.sessionsOfDevice(device, 3, continuationToken);
      pages.push(page.items.map(({ createdOn }) => createdOn));
      continuationToken = page.continuationToken;
    } while (continuationToken !== undefined);

    assert.deepEqual(pages, [[6, 5, 4].map(minutes), [3, 2, 1].map(minutes), [minutes(0)]]);
    assert.deepEqual(proxy.take(), ["GET /sessions", "GET /sessions", "GET /sessions"]);
    const all = await sessions.sessionsOfDevice(device, 7);
    assert.deepEqual([all.items.length, all.continuationToken], [7, undefined]);
    assert.deepEqual(await sessions.sessionsOfDevice(someDevice(), 3), { items: [] });
  });

  test("queries the device's sessions only", async (t) => {
    const { sessions, proxy } = await openRig(t);
    await sessions.sessionsOfDevice("O'Hara/1", 5);
    const query = proxy.seen.at(-1)?.query;
    assert.equal(query?.get("$filter"), "PartitionKey eq 'O''Hara!2f1' and RowKey gt 's_' and RowKey lt 's`'");
    assert.equal(query?.get("$top"), "6");
  });

  test("continues after a page, also after concurrent additions and removals", async (t) => {
    const { sessions, device, committed } = await openRig(t);
    for (const n of [0, 1, 2, 3]) await committed({ createdOn: minutes(n) });
    const first = await sessions.sessionsOfDevice(device, 2);
    await committed({ createdOn: minutes(9) });
    for (const { sessionId } of first.items) {
      const stored = await sessions.find(sessionId);
      if (stored) await sessions.purge(stored);
    }
    const second = await sessions.sessionsOfDevice(device, 2, first.continuationToken);
    const times = second.items.map(({ createdOn }) => createdOn);
    assert.deepEqual(times, [minutes(1), minutes(0)]);
  });

  test("refuses tokens that were not issued for the device", async (t) => {
    const { sessions, proxy, device, committed } = await openRig(t);
    for (const n of [0, 1]) await committed({ createdOn: minutes(n) });
    const { continuationToken } = await sessions.sessionsOfDevice(device, 1);
    assert.ok(continuationToken !== undefined);
    proxy.take();

    const text = Buffer.from(continuationToken, "base64url").toString();
    const forged = ["' or PartitionKey gt '", "g", "s_0_x", `${text}x'`, `x${text.slice(1)}`, text.replace("s_", "k_")];
    const sdkToken = Buffer.from(JSON.stringify({ nextPartitionKey: "!", nextRowKey: "s_1" })).toString("base64");
    const others = ["", "x", "%", sdkToken, `${continuationToken}=`, `${continuationToken}A`, `A${continuationToken}`];
    for (const token of [...others, ...forged.map((forgery) => Buffer.from(forgery).toString("base64url"))]) {
      await assert.rejects(sessions.sessionsOfDevice(device, 1, token), badArgument, token);
    }
    await assert.rejects(sessions.sessionsOfDevice(someDevice(), 1, continuationToken), badArgument);
    assert.deepEqual(proxy.take(), [], "no such token gets as far as storage");
  });
});

describe("list", () => {
  test("by kind and owner, ascending by id, after `start`, without pruned and expired sessions", async (t) => {
    const { sessions, committed } = await openRig(t);
    const owner = `o'${randomUUID()}`;
    const createdOn = minutes(10);
    const stored = await Promise.all([
      ...Array.from({ length: 5 }, () => committed({ owner, createdOn })),
      committed({ owner, createdOn, kind: "livenessWithVerify" }),
      committed({ owner, createdOn: minutes(5) }),
      committed({ createdOn }),
    ]);
    const ids = stored
      .slice(0, 5)
      .map(({ record }) => record.sessionId)
      .sort();
    await sessions.hide(ids[3] ?? "", minutes(20));
    const query = { kind: "liveness", owner, createdAfter: minutes(5) } as const;
    const listed = async (more: { top: number; after?: string }) =>
      (await sessions.list({ ...query, ...more })).map(({ sessionId }) => sessionId);

    assert.deepEqual(await listed({ top: 10 }), [ids[0], ids[1], ids[2], ids[4]]);
    assert.deepEqual(await listed({ top: 2 }), [ids[0], ids[1]]);
    assert.deepEqual(await listed({ top: 2, after: ids[1] ?? "" }), [ids[2], ids[4]]);
    assert.deepEqual(await listed({ top: 2, after: ids[4] ?? "" }), []);
    assert.deepEqual(await listed({ top: 2, after: "' or '1' eq '1" }), [ids[0], ids[1]]);

    const everyones = await sessions.list({ kind: "liveness", createdAfter: minutes(5), top: 1000 });
    const { sessionId, deviceCorrelationId } = stored[7]?.record ?? assert.fail();
    const found = everyones.find((each) => each.sessionId === sessionId);
    assert.deepEqual(found, { sessionId, kind: "liveness", deviceCorrelationId, createdOn, ttlSeconds: 600 });
  });
});

describe("requests of a list", () => {
  const ownersQuery = () => ({ kind: "liveness", owner: randomUUID(), createdAfter: minutes(5) }) as const;
  const isList = ({ method, path }: { method: string; path: string }) => method === "GET" && path === "/sessionids()";
  /** The maximum number of requests for a number of sessions. */
  const bound = (count: number) => 2 + Math.ceil(count / 1000);

  /** A page of storage that continues at the row with this id. */
  const pageBefore = (id = "", value: object[] = []) => {
    const continued = Buffer.from(id).toString("base64");
    const headers = {
      "content-type": "application/json;odata=minimalmetadata",
      "x-ms-continuation-nextpartitionkey": continued,
      "x-ms-continuation-nextrowkey": continued,
    };
    return { status: 200, headers, body: JSON.stringify({ value }) };
  };

  /** Writes pointers only, because a list reads nothing else. Resolves with their ids, ascending. */
  async function pointers({ connection }: Rig, owner: string, count: number): Promise<string[]> {
    const records = Array.from({ length: count }, () => newRecord(reservation(), { owner, createdOn: minutes(10) }));
    await Promise.all(records.map((record) => connection.sessionIds.put(writePointer("p", "s_1", record))));
    return records.map(({ sessionId }) => sessionId).sort();
  }

  test("one, also after many pruned sessions", async (t) => {
    const rig = await openRig(t);
    const query = ownersQuery();
    const ids = await pointers(rig, query.owner, 400);
    const left = [ids[150], ids[399]];
    await Promise.all(ids.filter((id) => !left.includes(id)).map((id) => rig.sessions.hide(id, minutes(20))));
    for (const [top, expected] of [
      [1, left.slice(0, 1)],
      [2, left],
      [1000, left],
    ] as const) {
      rig.proxy.take();
      const listed = await rig.sessions.list({ ...query, top });
      const found = listed.map(({ sessionId }) => sessionId);
      assert.deepEqual(found, expected);
      assert.deepEqual(rig.proxy.take(), ["GET /sessionids"], `top=${top}`);
    }
    rig.proxy.take();
    assert.deepEqual(await rig.sessions.list({ ...query, owner: randomUUID(), top: 1000 }), []);
    assert.deepEqual(await rig.sessions.list({ ...query, after: ids[399] ?? "", top: 1 }), []);
    assert.deepEqual(rig.proxy.take(), ["GET /sessionids", "GET /sessionids"]);
  });

  test("few, also where storage returns empty pages, and the sessions found so far are returned", async (t) => {
    const rig = await openRig(t);
    const query = ownersQuery();
    const ids = await pointers(rig, query.owner, 3);
    const emptyPage = pageBefore(ids[0]);
    rig.proxy.inject(emptyPage, isList, 1);
    rig.proxy.take();
    const [afterEmptyPage] = await rig.sessions.list({ ...query, top: 1 });
    assert.equal(afterEmptyPage?.sessionId, ids[0]);
    assert.ok(rig.proxy.take().length <= bound(1));

    rig.proxy.inject(emptyPage, isList, 20);
    for (const top of [1, 1000]) {
      assert.deepEqual(await rig.sessions.list({ ...query, top }), []);
      assert.ok(rig.proxy.take().length <= bound(0), `top=${top}`);
    }
  });

  test("continue while pages contain sessions", async (t) => {
    const rig = await openRig(t);
    const query = ownersQuery();
    const [first = "", ...others] = await pointers(rig, query.owner, 3);
    const entity = await rig.connection.sessionIds.get(first, first);
    assert.ok(entity);
    const { partitionKey: PartitionKey, rowKey: RowKey, etag: _etag, timestamp: _timestamp, ...values } = entity;
    rig.proxy.inject(pageBefore(others[0], [{ PartitionKey, RowKey, ...values }]), isList, 2);
    rig.proxy.take();
    const listed = await rig.sessions.list({ ...query, top: 1000 });
    const found = listed.map(({ sessionId }) => sessionId);
    assert.deepEqual(found, [first, first, ...others]);
    assert.equal(rig.proxy.take().length, bound(listed.length));
  });

  test("one for a device's sessions of one owner, also among those of other owners", async (t) => {
    const rig = await openRig(t);
    const owner = randomUUID();
    for (let count = 0; count < 12; count++) {
      await rig.committed({ owner: count % 6 === 0 ? owner : "another", createdOn: minutes(count) });
    }
    for (const [top, count] of [
      [1, 1],
      [5, 2],
    ] as const) {
      rig.proxy.take();
      assert.equal((await rig.sessions.sessionsOfDevice(rig.device, top, undefined, owner)).items.length, count);
      assert.deepEqual(rig.proxy.take(), ["GET /sessions"]);
    }
    assert.deepEqual(await rig.sessions.sessionsOfDevice(rig.device, 1, undefined, "unknown"), { items: [] });
    assert.deepEqual(rig.proxy.take(), ["GET /sessions"]);
  });
});
