import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpMethod } from "@azure/functions";
import { heldImageName } from "../../../src/liveness/images/find-image.ts";
import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { makeImage } from "../../fixtures/images.ts";
import { call, createApp, plus, type Sent, send, service, user } from "../fakes/app.ts";
import { clientKey, ownerOf } from "../fakes/principals.ts";
import { createWorld, type World } from "../fakes/world.ts";

const path = "/api/reference-images/a-face";
const face = makeImage({ width: 300, height: 400 });
const other = makeImage({ width: 300, height: 400 }, 1);
const alice = user("alice");

const put = (world: World, sent = service, more: Sent = {}) =>
  send(world, "PUT", path, plus(sent, { body: face, ...more }));

describe("a reference image", () => {
  test("is stored with the facts read from its bytes, and removed", async () => {
    const world = createWorld();
    const query = "?deviceCorrelationId=a%2Fdevice";
    const stored = await put(world, service, { query, headers: { "content-type": "text/html" } });
    const facts = { referenceImageId: "a-face", ...inspectImage(face), deviceCorrelationId: "a/device" };
    assert.deepEqual([stored.status, stored.json], [201, facts]);
    const etag = stored.headers.get("etag");
    world.advance({ hours: 1 });
    const read = await send(world, "GET", path);
    const headers = ["etag", "content-type"].map((name) => read.headers.get(name));
    assert.deepEqual([read.status, read.bytes, headers], [200, face, [etag, "image/jpeg"]]);
    const metadata = await send(world, "GET", `${path}/metadata`);
    assert.deepEqual([metadata.status, metadata.headers.get("etag")], [200, etag]);
    assert.deepEqual(metadata.json, { ...facts, sizeInBytes: face.length, createdOn: "2026-03-01T12:00:00.000Z" });
    const removed = await send(world, "DELETE", path);
    assert.deepEqual([removed.status, removed.bytes.byteLength], [204, 0]);
    for (const [method, of] of [
      ["GET", path],
      ["GET", `${path}/metadata`],
      ["DELETE", path],
    ] as const) {
      const answer = await send(world, method, of);
      assert.deepEqual([answer.status, answer.code], [404, "ResourceNotFound"]);
    }
  });

  const megabyte = 1024 * 1024;
  for (const [what, of, sent, status, code] of [
    ["of 8 MB", path, { body: makeImage({ sizeInBytes: 8 * megabyte }) }, 400, "InvalidImageSize"],
    ["of more than 8 MB", path, { body: makeImage({ sizeInBytes: 8 * megabyte + 1 }) }, 413, "RequestBodyTooLarge"],
    ["for an empty device id", path, { query: "?deviceCorrelationId=" }, 400, "InvalidDeviceCorrelationId"],
    ["for a long id", path, { query: `?deviceCorrelationId=${"d".repeat(65)}` }, 400, "InvalidDeviceCorrelationId"],
    ...["x".repeat(65), "a.b", "a%20b", "%2e%2e", "a%2Fb", "%C3%A4"].map(
      (id) => [`with the id ${id}`, `/api/reference-images/${id}`, {}, 404, "ResourceNotFound"] as const,
    ),
    ...["a", "A-Z_09", "x".repeat(64)].map(
      (id) => [`with the id ${id}`, `/api/reference-images/${id}`, {}, 201, undefined] as const,
    ),
  ] as const) {
    test(`${what} is answered with ${status}`, async () => {
      const world = createWorld();
      const answer = await send(world, "PUT", of, plus(service, { body: face, ...sent }));
      assert.deepEqual([answer.status, answer.code], [status, code]);
      assert.equal(world.blobs.images.size, status === 201 ? 1 : 0);
    });
  }
});

/** Requests with conditions, with `{etag}` for the ETag of the stored image and `{stale}` for that of an earlier one. */
const conditions: [method: HttpMethod, isStored: boolean, headers: Record<string, string>, status: number][] = [
  ["PUT", false, { "if-match": "*" }, 412],
  ["PUT", false, { "if-none-match": "*" }, 201],
  ["PUT", true, { "if-match": "*" }, 200],
  ["PUT", true, { "if-match": "{etag}" }, 200],
  ["PUT", true, { "if-match": "{stale}" }, 412],
  ["PUT", true, { "if-none-match": "*" }, 412],
  // Both are evaluated if both are sent.
  ["PUT", true, { "if-match": "{etag}", "if-none-match": "*" }, 412],
  ["PUT", true, { "if-match": "{etag}", "if-none-match": "{etag}" }, 412],
  ["PUT", true, { "if-match": "{etag}", "if-none-match": '"another"' }, 200],
  // Only an unquoted * matches any image.
  ...['"another"', '"*"', '"any"', '"none"', '""', 'W/"1"'].map((tag): (typeof conditions)[number] => [
    "PUT",
    true,
    { "if-match": tag },
    412,
  ]),
  ["PUT", true, { "if-match": "abc" }, 400],
  ["PUT", true, { "if-match": '{etag}, "another"' }, 400],
  ["PUT", true, { "if-none-match": "'a'" }, 400],
  ["PUT", true, { "if-none-match": '"another"' }, 400],
  ["DELETE", false, { "if-match": "*" }, 412],
  ["DELETE", true, { "if-match": "{stale}" }, 412],
  ["DELETE", true, { "if-match": "abc" }, 400],
  ["DELETE", true, { "if-none-match": "*" }, 412],
  ["DELETE", true, { "if-none-match": "{etag}" }, 412],
  ["DELETE", true, { "if-none-match": "W/{etag}" }, 412],
  ["DELETE", true, { "if-none-match": '"another"' }, 204],
  ["GET", true, { "if-none-match": "{etag}" }, 304],
  ["GET", true, { "if-none-match": "W/{etag}" }, 304],
  ["GET", true, { "if-none-match": '"x", {etag}' }, 304],
  ["GET", true, { "if-none-match": "*" }, 304],
  ["GET", true, { "if-none-match": '"x"' }, 200],
];
const codes: Record<number, string> = { 400: "BadArgument", 412: "ConditionNotMet" };
for (const [method, isStored, headers, status] of conditions) {
  test(`${method} of ${isStored ? "a stored" : "no"} image with ${JSON.stringify(headers)}: ${status}`, async () => {
    for (const sent of [service, alice]) {
      const world = createWorld();
      const [stale, etag] = isStored
        ? [await put(world, sent, { body: other }), await put(world, sent)].map((one) => one.headers.get("etag") ?? "")
        : [];
      const filled = Object.entries(headers).map(([name, value]) => [
        name,
        value.replace("{etag}", etag ?? "").replace("{stale}", stale ?? ""),
      ]);
      const body = method === "PUT" ? { body: other } : {};
      const answer = await send(world, method, path, plus(sent, { ...body, headers: Object.fromEntries(filled) }));
      assert.deepEqual([answer.status, answer.code], [status, codes[status]]);
      if (status === 304) assert.deepEqual([answer.bytes.byteLength, answer.headers.get("etag")], [0, etag]);
      const { bytes } = await send(world, "GET", path, sent);
      if (isStored && status >= 400) assert.deepEqual(bytes, face, "the image is unchanged");
    }
  });
}

describe("an id in use in one namespace is indistinguishable from a free one in another", () => {
  const theirs = makeImage({}, 1);
  const image = { body: makeImage() };
  const callers = {
    service,
    "service by its role": user("carol", "Liveness.Service"),
    "service with a user's principal": plus(alice, service),
    alice,
    bob: user("bob"),
  };
  const requests: { name: string; method: HttpMethod; of?: string; sent?: Sent }[] = [
    { name: "PUT", method: "PUT", sent: image },
    { name: "PUT with an empty body", method: "PUT", sent: { body: new Uint8Array() } },
    { name: "PUT if-none-match *", method: "PUT", sent: { ...image, headers: { "if-none-match": "*" } } },
    { name: "PUT if-match *", method: "PUT", sent: { ...image, headers: { "if-match": "*" } } },
    { name: "PUT if-match of a version", method: "PUT", sent: { ...image, headers: { "if-match": '"1"' } } },
    { name: "PUT for a device", method: "PUT", sent: { ...image, query: "?deviceCorrelationId=a-device" } },
    { name: "GET", method: "GET" },
    { name: "GET if-none-match *", method: "GET", sent: { headers: { "if-none-match": "*" } } },
    { name: "GET of the metadata", method: "GET", of: `${path}/metadata` },
    { name: "DELETE", method: "DELETE" },
    { name: "DELETE if-match *", method: "DELETE", sent: { headers: { "if-match": "*" } } },
  ];

  /** Sends a request. Returns everything that its sender can see, and the storage calls. */
  async function see(world: World, caller: Sent, { method, of = path, sent = {} }: (typeof requests)[0]) {
    const process = world.start();
    const app = createApp(process, clientKey.settings);
    const { status, headers, bytes } = await call({ app }, method, of, plus(sent, caller));
    // ETags are numbered across all images of a world.
    return { status, headers: [...headers].filter(([name]) => name !== "etag"), bytes, steps: process.calls.names };
  }

  for (const [holder, sender] of [
    ["service", "alice"],
    ["service by its role", "alice"],
    ["service with a user's principal", "alice"],
    ["alice", "service"],
    ["alice", "service with a user's principal"],
    ["alice", "bob"],
  ] as const) {
    for (const request of requests) {
      test(`${holder} stores an image, ${sender} sends ${request.name}`, async () => {
        const [free, taken] = [createWorld(), createWorld()];
        await put(taken, callers[holder], { body: theirs, query: "?deviceCorrelationId=another-device" });
        const before = taken.blobs.images.size;
        assert.deepEqual(await see(taken, callers[sender], request), await see(free, callers[sender], request));
        assert.equal(taken.blobs.images.size, before + free.blobs.images.size, "the other image remains");
        assert.deepEqual((await send(taken, "GET", path, callers[holder])).bytes, theirs);
      });
    }
  }

  test("an image uploaded with a creation -> read by service and owner, deleted by neither, hidden from others", async () => {
    const id = "c0ffee00-0000-4000-8000-000000000001";
    const of = `/api/reference-images/${id}`;
    const [free, taken] = [createWorld(), createWorld()];
    const uploaded = { bytes: theirs, facts: inspectImage(theirs), owner: ownerOf("alice") };
    await taken.start().deps.images.put(`sessions/${id}`, uploaded);
    for (const sent of [service, alice]) {
      assert.deepEqual((await send(taken, "GET", of, sent)).bytes, theirs);
      assert.equal((await send(taken, "GET", `${of}/metadata`, sent)).status, 200);
      assert.equal((await send(taken, "DELETE", of, sent)).status, 404);
    }
    for (const part of ["", "/metadata"]) {
      const read = { name: "GET", method: "GET", of: `${of}${part}` } as const;
      const seen = await see(taken, callers.bob, read);
      assert.deepEqual(seen, await see(free, callers.bob, read));
      assert.equal(seen.status, 404);
    }
  });
});

test("the name of an image is in the folder of the services or of the user, for every valid id", () => {
  assert.equal(heldImageName({ trusted: true, owner: "o" }, "a_B-9"), "held/a_B-9");
  assert.equal(heldImageName({ trusted: false, owner: "o" }, "a_B-9"), "held-by/o/a_B-9");
  for (const id of ["", "../x", "a/b", "..", "a:b", "x".repeat(65)]) {
    assert.throws(() => heldImageName({ trusted: true }, id), TypeError);
  }
  assert.throws(() => heldImageName({ trusted: false }, "a"), TypeError);
});
