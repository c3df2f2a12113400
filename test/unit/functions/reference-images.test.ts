import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { imageTypes, makeImage, mediaTypeOf } from "../../fixtures/images.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { createWorld, type World } from "../fakes/world.ts";

const path = "/api/reference-images/a-face";
const face = makeImage({ width: 300, height: 400 });
const other = makeImage({ width: 300, height: 400 }, 1);
const service = { headers: clientKey.headers };
const alice = { headers: principal("alice") };

const appOf = (world: World) => ({ app: createApp(world.start(), clientKey.settings) });

const put = (world: World, sent: Sent = service, body: Uint8Array = face) =>
  call(appOf(world), "PUT", path, { ...sent, body });
const get = (world: World, sent: Sent = service, of = path) => call(appOf(world), "GET", of, sent);
const remove = (world: World, sent: Sent = service) => call(appOf(world), "DELETE", path, sent);

const withHeaders = (sent: Sent, headers: Record<string, string>): Sent => ({
  headers: { ...sent.headers, ...headers },
});
const codeOf = (json: unknown) => z.object({ error: z.object({ code: z.string() }) }).parse(json).error.code;

describe("storing a reference image", () => {
  test("returns the facts read from its bytes, regardless of the content type sent", async () => {
    for (const type of imageTypes) {
      const world = createWorld();
      const bytes = makeImage({ type, width: 300, height: 400 });
      const answer = await put(world, withHeaders(service, { "content-type": "text/html" }), bytes);
      assert.equal(answer.status, 201);
      const { sha256 } = inspectImage(bytes);
      const facts = { sha256, contentType: mediaTypeOf(type), width: 300, height: 400 };
      assert.deepEqual(answer.json, { referenceImageId: "a-face", ...facts });
      const read = await get(world);
      assert.deepEqual([read.status, read.bytes], [200, bytes]);
      assert.equal(read.headers.get("content-type"), mediaTypeOf(type));
      assert.equal(read.headers.get("etag"), answer.headers.get("etag"));
    }
  });

  test("replaces an existing image and changes the ETag", async () => {
    const world = createWorld();
    const first = await put(world);
    const second = await put(world, service, other);
    assert.deepEqual([first.status, second.status], [201, 200]);
    assert.notEqual(first.headers.get("etag"), second.headers.get("etag"));
    assert.deepEqual((await get(world)).bytes, other);
  });

  test("refuses invalid images and sizes, and stores nothing", async () => {
    const world = createWorld();
    const megabyte = 1024 * 1024;
    for (const [bytes, status, code] of [
      [new Uint8Array(), 400, "InvalidImageSize"],
      [Buffer.alloc(2048), 400, "InvalidImage"],
      [makeImage({ width: 4097 }), 400, "InvalidImage"],
      [makeImage({ sizeInBytes: 6 * megabyte + 1 }), 400, "InvalidImageSize"],
      [makeImage({ sizeInBytes: 8 * megabyte }), 400, "InvalidImageSize"],
      [makeImage({ sizeInBytes: 8 * megabyte + 1 }), 413, "RequestBodyTooLarge"],
    ] as const) {
      const answer = await put(world, service, bytes);
      assert.deepEqual([answer.status, codeOf(answer.json)], [status, code]);
    }
    assert.equal(world.blobs.images.size, 0);
  });

  test("accepts valid ids; 404 for others", async () => {
    const world = createWorld();
    for (const id of ["a", "A-Z_09", "x".repeat(64)]) {
      const answer = await call(appOf(world), "PUT", `/api/reference-images/${id}`, { ...service, body: face });
      assert.equal(answer.status, 201, id);
    }
    for (const id of ["x".repeat(65), "a.b", "a%20b", "%2e%2e", "a%2Fb", "%C3%A4"]) {
      const answer = await call(appOf(world), "PUT", `/api/reference-images/${id}`, { ...service, body: face });
      assert.deepEqual([answer.status, codeOf(answer.json)], [404, "ResourceNotFound"], id);
    }
  });

  test("binds it to a device", async () => {
    const world = createWorld();
    const bound = await put(world, { ...service, query: "?deviceCorrelationId=a%2Fdevice" });
    assert.deepEqual(
      [bound.status, bound.json],
      [201, { referenceImageId: "a-face", ...inspectImage(face), deviceCorrelationId: "a/device" }],
    );
    for (const device of ["", "d".repeat(65)]) {
      const answer = await put(world, { ...service, query: `?deviceCorrelationId=${device}` });
      assert.deepEqual([answer.status, codeOf(answer.json)], [400, "InvalidDeviceCorrelationId"]);
    }
  });
});

describe("conditions", () => {
  test("outdated If-Match, or If-None-Match: * -> ConditionNotMet", async () => {
    const world = createWorld();
    const first = (await put(world)).headers.get("etag") ?? "";
    const stale = withHeaders(service, { "if-match": first });
    assert.equal((await put(world, stale, other)).status, 200);
    for (const sent of [stale, withHeaders(service, { "if-none-match": "*" })]) {
      const answer = await put(world, sent);
      assert.deepEqual([answer.status, codeOf(answer.json)], [412, "ConditionNotMet"]);
    }
    assert.equal((await remove(world, stale)).status, 412);
    assert.deepEqual((await get(world)).bytes, other);
  });

  test("If-None-Match: * creates an image only if there is none", async () => {
    const world = createWorld();
    assert.equal((await put(world, withHeaders(service, { "if-match": "*" }))).status, 412);
    assert.equal((await put(world, withHeaders(service, { "if-none-match": "*" }))).status, 201);
  });

  test("are both evaluated if both are sent", async () => {
    const world = createWorld();
    const etag = (await put(world)).headers.get("etag") ?? "";
    const both = (ifMatch: string, ifNoneMatch: string) =>
      put(world, withHeaders(service, { "if-match": ifMatch, "if-none-match": ifNoneMatch }));
    assert.equal((await both(etag, "*")).status, 412);
    assert.equal((await both(etag, etag)).status, 412);
    assert.equal((await both(etag, '"another"')).status, 200);
  });

  test("only an unquoted * matches any image", async () => {
    const world = createWorld();
    await put(world);
    for (const tag of ['"*"', '"any"', '"none"', '""', 'W/"1"']) {
      assert.equal((await put(world, withHeaders(service, { "if-match": tag }))).status, 412, tag);
    }
  });

  test("apply to a user's own image in the same way", async () => {
    const world = createWorld();
    const putIf = (headers: Record<string, string>) => put(world, withHeaders(alice, headers));
    assert.equal((await putIf({ "if-match": "*" })).status, 412);
    const created = await putIf({ "if-none-match": "*" });
    assert.equal(created.status, 201);
    assert.equal((await putIf({ "if-none-match": "*" })).status, 412);
    assert.equal((await putIf({ "if-match": '"another"' })).status, 412);
    assert.equal((await putIf({ "if-match": created.headers.get("etag") ?? "" })).status, 200);
    assert.equal((await putIf({ "if-match": "*" })).status, 200);
  });

  test("must be one ETag or *", async () => {
    const world = createWorld();
    const etag = (await put(world)).headers.get("etag") ?? "";
    for (const [name, value] of [
      ["if-match", "abc"],
      ["if-match", `${etag}, "another"`],
      ["if-none-match", "'a'"],
      ["if-none-match", '"another"'],
    ] as const) {
      const answer = await put(world, withHeaders(service, { [name]: value }), other);
      assert.deepEqual([answer.status, codeOf(answer.json)], [400, "BadArgument"], value);
    }
    assert.equal((await remove(world, withHeaders(service, { "if-match": "abc" }))).status, 400);
    assert.deepEqual((await get(world)).bytes, face);
  });

  test("apply to DELETE", async () => {
    const world = createWorld();
    const etag = (await put(world)).headers.get("etag") ?? "";
    for (const condition of ["*", etag, `W/${etag}`]) {
      assert.equal((await remove(world, withHeaders(service, { "if-none-match": condition }))).status, 412, condition);
    }
    assert.equal((await remove(world, withHeaders(service, { "if-none-match": '"another"' }))).status, 204);
    assert.equal((await remove(world, withHeaders(service, { "if-match": "*" }))).status, 412);
  });

  test("If-None-Match of a GET with the current ETag -> 304", async () => {
    const world = createWorld();
    const etag = (await put(world)).headers.get("etag") ?? "";
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const answer = await get(world, withHeaders(service, { "if-none-match": known }));
      assert.deepEqual([answer.status, answer.bytes.byteLength, answer.headers.get("etag")], [304, 0, etag], known);
    }
    assert.equal((await get(world, withHeaders(service, { "if-none-match": '"x"' }))).status, 200);
  });
});

describe("reading and deleting a reference image", () => {
  test("returns its metadata", async () => {
    const world = createWorld();
    const stored = await put(world, { ...service, query: "?deviceCorrelationId=a-device" });
    world.advance({ hours: 1 });
    const answer = await get(world, service, `${path}/metadata`);
    const createdOn = "2026-03-01T12:00:00.000Z";
    assert.deepEqual(answer.json, {
      ...{ referenceImageId: "a-face", ...inspectImage(face), sizeInBytes: face.length },
      ...{ createdOn, deviceCorrelationId: "a-device" },
    });
    assert.equal(answer.headers.get("etag"), stored.headers.get("etag"));
  });

  test("404 for a missing or deleted image", async () => {
    const world = createWorld();
    for (const answer of [await get(world), await get(world, service, `${path}/metadata`), await remove(world)]) {
      assert.deepEqual([answer.status, codeOf(answer.json)], [404, "ResourceNotFound"]);
    }
    await put(world);
    const removed = await remove(world);
    assert.deepEqual([removed.status, removed.bytes.byteLength], [204, 0]);
    assert.equal((await remove(world)).status, 404);
    assert.equal((await get(world)).status, 404);
  });

  test("reads an image uploaded with a creation by the creation's id, and cannot delete it", async () => {
    const world = createWorld();
    const id = "c0ffee00-0000-4000-8000-000000000001";
    const image = { bytes: face, facts: inspectImage(face), owner: ownerOf("alice") };
    await world.start().deps.images.put(`sessions/${id}`, image);
    const of = `/api/reference-images/${id}`;
    for (const sent of [service, alice]) {
      assert.deepEqual((await get(world, sent, of)).bytes, face);
      assert.equal((await get(world, sent, `${of}/metadata`)).status, 200);
      assert.equal((await call(appOf(world), "DELETE", of, sent)).status, 404);
    }
    assert.equal(world.blobs.images.size, 1);
  });
});
