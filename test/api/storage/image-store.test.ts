import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, describe, test } from "node:test";
import { BlobServiceClient } from "@azure/storage-blob";
import { ApiError } from "../../../src/errors.ts";
import type { ImageName, NewImage } from "../../../src/liveness/model/images.ts";
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

function status(expected: number) {
  return (error: unknown) => error instanceof ApiError && error.status === expected;
}

describe("put and get", () => {
  test("bytes and facts", async (t) => {
    const { connection, proxy } = await openRig(t, azurite);
    const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    const images = createImages(connection, { now: () => now });
    const name = someName();
    const bytes = randomBytes(6 * 1024 * 1024);
    await images.probe();
    proxy.take();

    const { etag, created } = await images.put(name, { bytes, facts, deviceCorrelationId: "dé/😀 'x'", owner: "o:1" });
    assert.equal(created, true);
    assert.deepEqual(proxy.take(), [`PUT /reference-images/${name}`], "a new image needs one request");

    const stored = await images.get(name);
    assert.ok(stored && Buffer.from(stored.bytes).equals(bytes));
    const expected = {
      ...facts,
      createdOn: "2026-01-02T03:04:05.678Z",
      etag,
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

  test("replacing an image is reported", async (t) => {
    const { images } = await openRig(t, azurite);
    const name = someName();
    const first = await images.put(name, image("1", { owner: "o" }));
    const second = await images.put(name, image("2"));
    assert.deepEqual([first.created, second.created], [true, false]);
    assert.notEqual(first.etag, second.etag);
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
    await assert.rejects(images.put(name, image(), { ifMatch: "*" }), status(412));
    await assert.rejects(images.put(name, image(), { ifMatch: '"0x1"' }), status(412));
    const { etag, created } = await images.put(name, image("1"), { ifNoneMatch: "*" });
    assert.equal(created, true);
    await assert.rejects(images.put(name, image("2"), { ifNoneMatch: "*" }), status(412));
    await assert.rejects(images.put(name, image("2"), { ifMatch: '"0x1"' }), status(412));
    assert.equal((await images.facts(name))?.etag, etag);

    const replaced = await images.put(name, image("2"), { ifMatch: etag });
    assert.equal(replaced.created, false);
    await assert.rejects(images.put(name, image("3"), { ifMatch: etag }), status(412));
    assert.equal((await images.put(name, image("3"), { ifMatch: "*" })).created, false);
  });

  test("delete", async (t) => {
    const { images } = await openRig(t, azurite);
    const name = someName();
    const { etag } = await images.put(name, image());
    await assert.rejects(images.delete(name, { ifMatch: '"0x1"' }), status(412));
    assert.ok(await images.facts(name));
    assert.equal(await images.delete(name, { ifMatch: etag }), true);
    await assert.rejects(images.delete(name, { ifMatch: etag }), status(412));
    assert.equal(await images.delete(name), false);
  });

  test("concurrent puts: one creates the image, one replaces it", async (t) => {
    const { images } = await openRig(t, azurite);
    const name = someName();
    const race = async (conditions: { ifMatch?: string; ifNoneMatch?: string }) => {
      const puts = Array.from({ length: 10 }, (_, n) => images.put(name, image(`image ${n}`), conditions));
      const outcomes = await Promise.allSettled(puts);
      return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    };
    const [first, ...others] = await race({ ifNoneMatch: "*" });
    assert.deepEqual([first?.created, others], [true, []]);
    assert.equal((await race({ ifMatch: first?.etag ?? "" })).length, 1);
  });

  test("unverifiable conditions are refused", async (t) => {
    const { images, proxy } = await openRig(t, azurite);
    for (const tag of ["", "abc", '"a", "b"', '"a\r\nx: y"', "'a'"]) {
      await assert.rejects(images.put(someName(), image(), { ifMatch: tag }), status(400));
      await assert.rejects(images.delete(someName(), { ifNoneMatch: tag }), status(400));
    }
    await assert.rejects(images.put(someName(), image(), { ifNoneMatch: '"a"' }), status(400));
    assert.deepEqual(proxy.seen, []);
  });
});
