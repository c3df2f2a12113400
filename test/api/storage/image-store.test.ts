import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { BlobServiceClient } from "@azure/storage-blob";
import type { ImageName, ListedImage, NewImage } from "../../../src/liveness/model/images.ts";
import type { Version } from "../../../src/liveness/model/references.ts";
import { createBookmarks } from "../../../src/storage/stores/bookmarks.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { openRig, sharedAzurite, someDevice } from "./storage-rig.ts";

const someName = (): ImageName => `held/${someDevice()}`;
const facts = { contentType: "image/png", width: 640, height: 480, sha256: "ab".repeat(32) } as const;
const image = (text = "image", more: Partial<NewImage> = {}): NewImage => ({
  bytes: Buffer.from(text),
  facts,
  ...more,
});

/** A version that no image has. */
const other = "0x1" as Version;

/** The container of the images, through the Azure SDK alone. */
async function rawContainer() {
  const { connectionString } = await sharedAzurite();
  return BlobServiceClient.fromConnectionString(connectionString).getContainerClient("reference-images");
}

// These tests come first, because the container must be empty.
describe("a list of images", () => {
  test("has time, version and device of each image, by prefix and in pages", async (t) => {
    const { connection, proxy } = await openRig(t);
    const createdOn = "2026-01-02T03:04:05.678Z";
    const images = createImages(connection, { now: () => Date.parse(createdOn) });
    const bookmarks = createBookmarks(connection);
    assert.deepEqual(await images.list(""), { items: [] });

    const device = "dé/😀 'x'";
    const version = await images.put("held/one", { bytes: Buffer.from("1"), facts, deviceCorrelationId: device });
    await images.put("held-by/a-user/one", { bytes: Buffer.from("1"), facts });
    await images.put("sessions/two", { bytes: Buffer.from("2"), facts });
    const container = await rawContainer();
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
    for (const name of ["held-by/a-user/one", "sessions/two", "sessions/three"] as const) await images.delete(name);
    await bookmarks.write("images", undefined);
  });

  test("continues after the last page, also in another process", async (t) => {
    const { connection, images, proxy } = await openRig(t);
    const names = Array.from({ length: 1003 }, (_, n): ImageName => `sessions/${String(n).padStart(4, "0")}`);
    const container = await rawContainer();
    await container.createIfNotExists();
    for (let start = 0; start < names.length; start += 100) {
      const some = names.slice(start, start + 100);
      await Promise.all(some.map((name) => container.getBlockBlobClient(name).upload("x", 1)));
    }
    const bookmarks = createBookmarks(connection);
    assert.equal(await bookmarks.read("images"), undefined);
    const first = await images.list("sessions/");
    await bookmarks.write("images", first.continuationToken);
    const other = await openRig(t);
    const place = await createBookmarks(other.connection).read("images");
    assert.ok(place);
    const second = await other.images.list("sessions/", place);
    const listed = [...first.items, ...second.items].map(({ name }: ListedImage) => name);
    assert.deepEqual([listed, second.continuationToken], [names, undefined]);
    for (let time = 0; time < 2; time += 1) await createBookmarks(other.connection).write("images", undefined);
    assert.equal(await bookmarks.read("images"), undefined);
    assert.ok(proxy.seen.length < 10);
  });
});

describe("the number of a user's images", () => {
  test("counts the user's images, up to the given limit", async (t) => {
    const { images, proxy } = await openRig(t);
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

describe("put and get", () => {
  test("bytes and facts", async (t) => {
    const { connection, proxy } = await openRig(t);
    const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    const images = createImages(connection, { now: () => now });
    const name = someName();
    const bytes = randomBytes(6 * 1024 * 1024);
    await images.probe();
    proxy.take();

    const version = await images.put(name, { bytes, facts, deviceCorrelationId: "dé/😀 'x'", owner: "o:1" });
    assert.deepEqual(proxy.take(), [`PUT /reference-images/${name}`]);

    const stored = await images.get(name);
    assert.ok(stored && Buffer.from(stored.bytes).equals(bytes));
    const expected = {
      ...facts,
      createdOn: "2026-01-02T03:04:05.678Z",
      version,
      sizeInBytes: bytes.byteLength,
      deviceCorrelationId: "dé/😀 'x'",
      owner: "o:1",
    };
    assert.deepEqual(stored.facts, expected);
    assert.deepEqual(await images.facts(name), expected);
    assert.deepEqual(proxy.take(), [`GET /reference-images/${name}`, `HEAD /reference-images/${name}`]);
  });

  test("stored as blobs with type and metadata", async (t) => {
    const { images } = await openRig(t);
    const name = someName();
    await images.put(name, image("x", { deviceCorrelationId: "dé" }));
    const { contentType, metadata } = await (await rawContainer()).getBlobClient(name).getProperties();
    assert.equal(contentType, "image/png");
    const { createdon, ...rest } = metadata ?? {};
    assert.ok(!Number.isNaN(Date.parse(createdon ?? "")));
    const { sha256 } = facts;
    assert.deepEqual(rest, { sha256, type: "image/png", width: "640", height: "480", device: "d%C3%A9" });
  });

  test("replacing an image changes its version", async (t) => {
    const { images } = await openRig(t);
    const name = someName();
    const first = await images.put(name, image("1", { owner: "o" }));
    const second = await images.put(name, image("2"));
    assert.ok(first && second);
    assert.notEqual(first, second);
    const stored = await images.get(name);
    assert.deepEqual([Buffer.from(stored?.bytes ?? []).toString(), stored?.facts.owner], ["2", undefined]);
  });

  test("missing -> undefined", async (t) => {
    const { images } = await openRig(t);
    assert.equal(await images.get(someName()), undefined);
    assert.equal(await images.facts(someName()), undefined);
    assert.equal(await images.delete(someName()), false);
  });

  test("a blob with invalid metadata -> a clear error", async (t) => {
    const { images } = await openRig(t);
    const name = someName();
    await (await rawContainer()).getBlockBlobClient(name).upload("x", 1);
    await assert.rejects(images.get(name), /does not have the metadata of a reference image/);
    await assert.rejects(images.facts(name), /does not have the metadata of a reference image/);
  });
});

describe("conditions", () => {
  test("put", async (t) => {
    const { images } = await openRig(t);
    const name = someName();
    assert.equal(await images.put(name, image(), other), undefined);
    assert.equal(await images.facts(name), undefined);
    const version = await images.put(name, image("1"), "none");
    assert.ok(version);
    assert.equal(await images.put(name, image("2"), "none"), undefined);
    assert.equal(await images.put(name, image("2"), other), undefined);
    assert.equal((await images.facts(name))?.version, version);

    assert.ok(await images.put(name, image("2"), version));
    assert.equal(await images.put(name, image("3"), version), undefined);
    assert.deepEqual((await images.get(name))?.bytes, Buffer.from("2"));
  });

  test("delete", async (t) => {
    const { images } = await openRig(t);
    const name = someName();
    const version = await images.put(name, image());
    assert.equal(await images.delete(name, other), false);
    assert.ok(await images.facts(name));
    assert.equal(await images.delete(name, version), true);
    assert.equal(await images.delete(name, version), false);
    assert.equal(await images.delete(name), false);
  });

  test("concurrent puts: one creates the image, one replaces it", async (t) => {
    const { images } = await openRig(t);
    const name = someName();
    const race = async (replaces: Version | "none") => {
      const puts = Array.from({ length: 10 }, (_, n) => images.put(name, image(`image ${n}`), replaces));
      return (await Promise.all(puts)).filter((version) => version !== undefined);
    };
    const [first, ...others] = await race("none");
    assert.deepEqual(others, []);
    assert.ok(first);
    assert.equal((await race(first)).length, 1);
  });
});
