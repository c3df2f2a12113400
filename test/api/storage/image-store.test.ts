import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, describe, test } from "node:test";
import { BlobServiceClient } from "@azure/storage-blob";
import type { ImageName, NewImage } from "../../../src/liveness/model/images.ts";
import type { Version } from "../../../src/liveness/model/references.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { startAzurite } from "../../local/azurite.ts";
import { openRig, someDevice } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

const someName = (): ImageName => `held/${someDevice()}`;
const facts = { contentType: "image/png", width: 640, height: 480, sha256: "ab".repeat(32) } as const;
const image = (text = "image", more: Partial<NewImage> = {}): NewImage => ({
  bytes: Buffer.from(text),
  facts,
  ...more,
});

/** A version that no image has. */
const other = "0x1" as Version;

describe("put and get", () => {
  test("bytes and facts", async (t) => {
    const { connection, proxy } = await openRig(t, azurite);
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
    const { images } = await openRig(t, azurite);
    const name = someName();
    await images.put(name, image("x", { deviceCorrelationId: "dé" }));
    const service = BlobServiceClient.fromConnectionString(azurite.connectionString);
    const blob = service.getContainerClient("reference-images").getBlobClient(name);
    const { contentType, metadata } = await blob.getProperties();
    assert.equal(contentType, "image/png");
    const { createdon, ...rest } = metadata ?? {};
    assert.ok(!Number.isNaN(Date.parse(createdon ?? "")));
    assert.deepEqual(rest, {
      sha256: facts.sha256,
      type: "image/png",
      width: "640",
      height: "480",
      device: "d%C3%A9",
    });
  });

  test("replacing an image changes its version", async (t) => {
    const { images } = await openRig(t, azurite);
    const name = someName();
    const first = await images.put(name, image("1", { owner: "o" }));
    const second = await images.put(name, image("2"));
    assert.ok(first && second);
    assert.notEqual(first, second);
    const stored = await images.get(name);
    assert.deepEqual([Buffer.from(stored?.bytes ?? []).toString(), stored?.facts.owner], ["2", undefined]);
  });

  test("missing -> undefined", async (t) => {
    const { images } = await openRig(t, azurite);
    assert.equal(await images.get(someName()), undefined);
    assert.equal(await images.facts(someName()), undefined);
    assert.equal(await images.delete(someName()), false);
  });

  test("a blob with invalid metadata -> a clear error", async (t) => {
    const { images } = await openRig(t, azurite);
    const name = someName();
    const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient(
      "reference-images",
    );
    await container.getBlockBlobClient(name).upload("x", 1);
    await assert.rejects(images.get(name), /has not the metadata of a reference image/);
    await assert.rejects(images.facts(name), /has not the metadata of a reference image/);
  });
});

describe("conditions", () => {
  test("put", async (t) => {
    const { images } = await openRig(t, azurite);
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
    const { images } = await openRig(t, azurite);
    const name = someName();
    const version = await images.put(name, image());
    assert.equal(await images.delete(name, other), false);
    assert.ok(await images.facts(name));
    assert.equal(await images.delete(name, version), true);
    assert.equal(await images.delete(name, version), false);
    assert.equal(await images.delete(name), false);
  });

  test("concurrent puts: one creates the image, one replaces it", async (t) => {
    const { images } = await openRig(t, azurite);
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
