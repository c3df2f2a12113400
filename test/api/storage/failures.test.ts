import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../../src/errors.ts";
import { placed } from "../../../src/liveness/model/session.ts";
import { connectStorage } from "../../../src/storage/azure/table.ts";
import { writePlace } from "../../../src/storage/rows/keys.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { findFreePorts } from "../../local/ports.ts";
import { createSessionStore, openRig, sharedAzurite, someDevice } from "./storage-rig.ts";

function unavailable(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.status === 503 &&
    error.code === "StorageUnavailable" &&
    error.cause !== undefined
  );
}

describe("transient failures of storage", () => {
  for (const fault of ["break", { status: 500 }, { status: 503 }, { status: 429 }] as const) {
    test(`are retried: ${JSON.stringify(fault)}`, async (t) => {
      const { sessions, images, proxy, committed } = await openRig(t);
      proxy.inject(fault, undefined, 3);
      const stored = await committed();
      assert.deepEqual(await sessions.load(placed(stored)), stored);
      proxy.inject(fault, undefined, 3);
      assert.equal(await images.facts("held/nothing"), undefined);
      assert.equal(proxy.strikes(), 6);
    });
  }

  test("a stalled request is retried", async (t) => {
    const { sessions, images, proxy } = await openRig(t, { retryPolicy: { timeoutMs: 300 } });
    await images.probe();
    await sessions.probe();
    proxy.inject("stall");
    await sessions.probe();
    proxy.inject("stall");
    await images.probe();
    assert.equal(proxy.strikes(), 2);
  });
});

describe("lasting failures of storage", () => {
  test("503 StorageUnavailable with Retry-After, after four tries", async (t) => {
    const { sessions, images, proxy } = await openRig(t);
    for (const probe of [
      sessions.probe,
      images.probe,
      () => sessions.schedule(someDue),
      () => sessions.list(someQuery),
    ]) {
      const before = proxy.seen.length;
      proxy.inject({ status: 503, headers: { "retry-after": "7" } }, undefined, 4);
      await assert.rejects(probe(), (error) => {
        assert.ok(unavailable(error) && error instanceof ApiError);
        assert.equal(error.retryAfter, "7");
        return true;
      });
      assert.equal(proxy.seen.length - before, 4);
    }
  });

  test("stalled requests -> 503 in bounded time", async (t) => {
    const { sessions, proxy } = await openRig(t, { retryPolicy: { timeoutMs: 100 } });
    proxy.inject("stall", undefined, 10);
    await assert.rejects(sessions.probe(), unavailable);
    assert.equal(proxy.strikes(), 2);
  });

  test("connection refused -> 503", async () => {
    const [port] = await findFreePorts(1);
    const connectionString = (await sharedAzurite()).connectionString.replaceAll(
      /(?<=127\.0\.0\.1:)\d+/g,
      String(port),
    );
    const connection = connectStorage({ connectionString, retryPolicy: { firstDelayMs: 1 } });
    await assert.rejects(createSessionStore(connection).probe(), unavailable);
    await assert.rejects(createImages(connection).probe(), unavailable);
  });
});

describe("refusals of storage", () => {
  test("are not retried, and their message does not reach the caller", async (t) => {
    const wrongKey = (await sharedAzurite()).connectionString.replace(
      /AccountKey=[^;]+/,
      `AccountKey=${btoa("wrong")}`,
    );
    const { sessions, images, proxy } = await openRig(t, { connectionString: wrongKey });
    for (const probe of [sessions.probe, images.probe]) {
      await assert.rejects(probe(), (error) => !(error instanceof ApiError));
    }
    const statuses = proxy.seen.map(({ status }) => status);
    assert.deepEqual(statuses, [403, 403]);
  });
});

describe("an identity in place of a key", () => {
  const token = { token: "a-token", expiresOnTimestamp: Date.now() + 3_600_000 };

  test("requests tokens for storage, for tables and blobs", async () => {
    const asked: unknown[] = [];
    const credential = {
      getToken: async (scopes: string | string[]) => {
        asked.push([scopes].flat().join());
        return token;
      },
    };
    const [port] = await findFreePorts(1);
    const uri = `https://127.0.0.1:${port}`;
    const connection = connectStorage({ tableUri: uri, blobUri: uri, credential, retryPolicy: { firstDelayMs: 1 } });
    await assert.rejects(createSessionStore(connection).probe(), unavailable);
    await assert.rejects(createImages(connection).probe(), unavailable);
    assert.deepEqual(new Set(asked), new Set(["https://storage.azure.com/.default"]));
    assert.ok(asked.length >= 2);
  });

  test("sends no token over plain HTTP", async (t) => {
    const { proxy } = await openRig(t);
    const [blobUri = "", tableUri = ""] = proxy.connectionString.match(/(?<=(?:Blob|Table)Endpoint=)[^;]+/g) ?? [];
    const connection = connectStorage({ tableUri, blobUri, credential: { getToken: async () => token } });
    await assert.rejects(createSessionStore(connection).probe(), (error) => !(error instanceof ApiError));
    await assert.rejects(createImages(connection).probe(), (error) => !(error instanceof ApiError));
    assert.deepEqual(proxy.seen, []);
  });
});

const someDue = {
  creationId: someDevice(),
  phase: "collect",
  dueOn: "2026-01-01T00:00:00.000Z",
  createdOn: "2026-01-01T00:00:00.000Z",
  place: writePlace({ partition: "p", idempotencyRowKey: "k" }),
} as const;
const someQuery = { kind: "liveness", top: 10, createdAfter: "2026-01-01T00:00:00.000Z" } as const;
