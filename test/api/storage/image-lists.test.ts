import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BlobServiceClient } from "@azure/storage-blob";
import type { Bookmarks } from "../../../src/liveness/model/bookmarks.ts";
import type { ImageName, ListedImage } from "../../../src/liveness/model/images.ts";
import { placed } from "../../../src/liveness/model/session.ts";
import { createBookmarks } from "../../../src/storage/stores/bookmarks.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { startAzurite } from "../../local/azurite.ts";
import { committed, openRig, someDevice } from "./storage-rig.ts";

const facts = { contentType: "image/png", width: 640, height: 480, sha256: "ab".repeat(32) } as const;

describe("a list of images", async () => {
  test("has time, version and device of each image, by prefix and in pages", async (t) => {
    const azurite = await startAzurite();
    t.after(() => azurite.stop());
    const { connection, proxy } = await openRig(t, azurite);
    const createdOn = "2026-01-02T03:04:05.678Z";
    const images = createImages(connection, { now: () => Date.parse(createdOn) });
    const bookmarks = createBookmarks(connection);
    assert.deepEqual(await images.list(""), { items: [] });

    const device = "dé/😀 'x'";
    const version = await images.put("held/one", { bytes: Buffer.from("1"), facts, deviceCorrelationId: device });
    await images.put("held-by/a-user/one", { bytes: Buffer.from("1"), facts });
    await images.put("sessions/two", { bytes: Buffer.from("2"), facts });
    const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(
      "reference-images",
    );
    await container.getBlockBlobClient("sessions/three").upload("3", 1);
    await bookmarks.write("images", "is no image");
    proxy.take();

    const { items } = await images.list("");
    assert.deepEqual(proxy.take(), ["GET /reference-images"]);
    const [users, one, three, two] = items;
    assert.equal(items.length, 4);
    assert.equal(users?.name, "held-by/a-user/one");
    assert.deepEqual(one, { name: "held/one", createdOn, version, deviceCorrelationId: device });
    assert.deepEqual([two?.name, two?.createdOn], ["sessions/two", createdOn]);
    assert.ok(
      three !== undefined && Date.now() - Date.parse(three.createdOn) < 60_000,
      "the time that storage gives it",
    );
    const bySession = (await images.list("sessions/")).items.map(({ name }) => name);
    assert.deepEqual(bySession, ["sessions/three", "sessions/two"]);
    assert.equal(await images.delete("held/one", one.version), true);
  });

  test("continues after the last page, also in another process", async (t) => {
    const azurite = await startAzurite();
    t.after(() => azurite.stop());
    const { connection, images, proxy } = await openRig(t, azurite);
    const names = Array.from({ length: 1003 }, (_, n): ImageName => `sessions/${String(n).padStart(4, "0")}`);
    const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(
      "reference-images",
    );
    await container.createIfNotExists();
    for (let start = 0; start < names.length; start += 100) {
      const some = names.slice(start, start + 100);
      await Promise.all(some.map((name) => container.getBlockBlobClient(name).upload("x", 1)));
    }
    const bookmarks = createBookmarks(connection);
    assert.equal(await bookmarks.read("images"), undefined);
    const first = await images.list("sessions/");
    await bookmarks.write("images", first.continuationToken);
    const other = await openRig(t, azurite);
    const later = other.images;
    const place = await createBookmarks(other.connection).read("images");
    assert.ok(place);
    const second = await later.list("sessions/", place);
    const listed = [...first.items, ...second.items].map(({ name }: ListedImage) => name);
    assert.deepEqual([listed, second.continuationToken], [names, undefined]);
    await removeBookmarkTwice(createBookmarks(other.connection));
    assert.equal(await bookmarks.read("images"), undefined);
    assert.ok(proxy.seen.length < 10);
  });
});

describe("the number of a user's images", () => {
  test("counts the user's images, up to the given limit", async (t) => {
    const azurite = await startAzurite();
    t.after(() => azurite.stop());
    const { images, proxy } = await openRig(t, azurite);
    const put = (name: ImageName) => images.put(name, { bytes: Buffer.from("1"), facts });
    assert.equal(await images.count("held-by/alice/", 3), 0);
    for (const id of ["a", "b", "c", "d"]) await put(`held-by/alice/${id}`);
    await Promise.all([put("held-by/alice2/a"), put("held-by/ali/a"), put("held/a")]);
    proxy.take();
    const counted = [1, 3, 4, 5, 1001].map((upTo) => images.count("held-by/alice/", upTo));
    assert.deepEqual(await Promise.all(counted), [1, 3, 4, 4, 4]);
    assert.deepEqual(proxy.take(), Array(5).fill("GET /reference-images"), "one request each");
    await images.delete("held-by/alice/a");
    assert.equal(await images.count("held-by/alice/", 5), 3);
  });
});

async function removeBookmarkTwice(bookmarks: Bookmarks): Promise<void> {
  await bookmarks.write("images", undefined);
  await bookmarks.write("images", undefined);
}

describe("pointers of creations without a commit", () => {
  test("are found by their target, many with one query", async (t) => {
    const azurite = await startAzurite();
    t.after(() => azurite.stop());
    const { sessions, proxy } = await openRig(t, azurite);
    const device = someDevice();
    const lost = [await committed(sessions, device), await committed(sessions, device), await committed(sessions)];
    const [kept, other] = [await committed(sessions, device), await committed(sessions)];
    proxy.take();
    await sessions.dropPointers({ records: lost.map(placed) });
    assert.deepEqual(proxy.take(), [...Array(3).fill("DELETE /sessionids"), "GET /sessionids"]);
    for (const { record } of lost) assert.equal(await sessions.find(record.sessionId), undefined);
    assert.ok((await sessions.find(kept.record.sessionId)) && (await sessions.find(other.record.sessionId)));
    await sessions.dropPointers({ deviceCorrelationId: device });
    assert.equal(await sessions.find(kept.record.sessionId), undefined);
    assert.ok(await sessions.find(other.record.sessionId));
    await sessions.dropPointers({ records: [kept, other].map(placed) });
    assert.equal(await sessions.find(other.record.sessionId), undefined);
  });
});
