import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, it } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { startAzurite } from "../../local/azurite.ts";
import { committed, openRig, someDevice } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

const minutes = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();
const badArgument = (error: unknown) =>
  error instanceof ApiError && error.status === 400 && error.code === "BadArgument";

describe("sessionsOfDevice", () => {
  it("reads newest first, in pages of exactly the size asked for", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const device = someDevice();
    for (const n of [3, 1, 6, 0, 2, 5, 4]) await committed(sessions, device, { createdOn: minutes(n) });
    proxy.take();

    const seen: string[] = [];
    const sizes: number[] = [];
    let continuationToken: string | undefined;
    do {
      const page = await sessions.sessionsOfDevice(device, 3, continuationToken);
      seen.push(...page.items.map(({ createdOn }) => createdOn));
      sizes.push(page.items.length);
      continuationToken = page.continuationToken;
    } while (continuationToken !== undefined);

    assert.deepEqual(seen, [6, 5, 4, 3, 2, 1, 0].map(minutes));
    assert.deepEqual(sizes, [3, 3, 1]);
    assert.deepEqual(proxy.take(), ["GET /sessions", "GET /sessions", "GET /sessions"]);
    const all = await sessions.sessionsOfDevice(device, 7);
    assert.deepEqual([all.items.length, all.continuationToken], [7, undefined]);
    assert.deepEqual(await sessions.sessionsOfDevice(someDevice(), 3), { items: [] });
  });

  it("asks for the device's sessions alone", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    await sessions.sessionsOfDevice("O'Hara/1", 5);
    const query = proxy.seen.at(-1)?.query;
    assert.equal(query?.get("$filter"), "PartitionKey eq 'O''Hara!2f1' and RowKey gt 's_' and RowKey lt 's`'");
    assert.equal(query?.get("$top"), "6");
  });

  it("goes on where a page ended, whatever was added or removed meanwhile", async (t) => {
    const { sessions } = await openRig(t, azurite);
    const device = someDevice();
    for (const n of [0, 1, 2, 3]) await committed(sessions, device, { createdOn: minutes(n) });
    const first = await sessions.sessionsOfDevice(device, 2);
    await committed(sessions, device, { createdOn: minutes(9) });
    for (const { sessionId } of first.items) {
      const stored = await sessions.find(sessionId);
      if (stored) await sessions.purge(stored);
    }
    const second = await sessions.sessionsOfDevice(device, 2, first.continuationToken);
    assert.deepEqual(
      second.items.map(({ createdOn }) => createdOn),
      [minutes(1), minutes(0)],
    );
  });

  it("refuses every token that it has not issued for the device", async (t) => {
    const { sessions, proxy } = await openRig(t, azurite);
    const device = someDevice();
    for (const n of [0, 1]) await committed(sessions, device, { createdOn: minutes(n) });
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
  it("reads by kind and owner, ascending by id, after the one given, without what was pruned or is old", async (t) => {
    const { sessions } = await openRig(t, azurite);
    const owner = `o'${randomUUID()}`;
    const createdOn = minutes(10);
    const stored = await Promise.all([
      ...Array.from({ length: 5 }, () => committed(sessions, someDevice(), { owner, createdOn })),
      committed(sessions, someDevice(), { owner, createdOn, kind: "livenessWithVerify" }),
      committed(sessions, someDevice(), { owner, createdOn: minutes(5) }),
      committed(sessions, someDevice(), { createdOn }),
    ]);
    const ids = stored
      .slice(0, 5)
      .map(({ record }) => record.sessionId)
      .sort();
    await sessions.markPruned(ids[3] ?? "", minutes(20));
    const query = { kind: "liveness", owner, createdAfter: minutes(5) } as const;
    const listed = async (more: { top: number; after?: string }) =>
      (await sessions.list({ ...query, ...more })).map(({ sessionId }) => sessionId);

    assert.deepEqual(await listed({ top: 10 }), [ids[0], ids[1], ids[2], ids[4]]);
    assert.deepEqual(await listed({ top: 2 }), [ids[0], ids[1]]);
    assert.deepEqual(await listed({ top: 2, after: ids[1] ?? "" }), [ids[2], ids[4]]);
    assert.deepEqual(await listed({ top: 2, after: ids[4] ?? "" }), []);
    assert.deepEqual(await listed({ top: 2, after: "' or '1' eq '1" }), [ids[0], ids[1]]);

    const everyones = await sessions.list({ kind: "liveness", createdAfter: minutes(5), top: 1000 });
    const record = stored[7]?.record;
    assert.deepEqual(
      everyones.find(({ sessionId }) => sessionId === record?.sessionId),
      {
        sessionId: record?.sessionId,
        kind: "liveness",
        deviceCorrelationId: record?.deviceCorrelationId,
        createdOn,
        ttlSeconds: 600,
      },
    );
  });
});
