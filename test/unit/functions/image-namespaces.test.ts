import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpMethod } from "@azure/functions";
import { heldImageName } from "../../../src/liveness/images/find-image.ts";
import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { makeImage } from "../../fixtures/images.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { createWorld, type World } from "../fakes/world.ts";

const path = "/api/reference-images/customer-1001";
const [mine, theirs] = [makeImage(), makeImage({}, 1)];
const callers = {
  service: clientKey.headers,
  "service by its role": principal("carol", "Liveness.Service"),
  "service with a user's principal": { ...principal("alice"), ...clientKey.headers },
  alice: principal("alice"),
  bob: principal("bob"),
};
const requests: { name: string; method: HttpMethod; of?: string; sent?: Sent }[] = [
  { name: "PUT", method: "PUT", sent: { body: mine } },
  { name: "PUT with an empty body", method: "PUT", sent: { body: new Uint8Array() } },
  { name: "PUT if-none-match *", method: "PUT", sent: { body: mine, headers: { "if-none-match": "*" } } },
  { name: "PUT if-match *", method: "PUT", sent: { body: mine, headers: { "if-match": "*" } } },
  { name: "PUT if-match of a version", method: "PUT", sent: { body: mine, headers: { "if-match": '"1"' } } },
  { name: "PUT for a device", method: "PUT", sent: { body: mine, query: "?deviceCorrelationId=a-device" } },
  { name: "GET", method: "GET" },
  { name: "GET if-none-match *", method: "GET", sent: { headers: { "if-none-match": "*" } } },
  { name: "GET of the metadata", method: "GET", of: `${path}/metadata` },
  { name: "DELETE", method: "DELETE" },
  { name: "DELETE if-match *", method: "DELETE", sent: { headers: { "if-match": "*" } } },
];

/** Sends a request. Returns everything that its sender can see, and the storage calls. */
async function see(world: World, headers: Record<string, string>, { method, of = path, sent }: (typeof requests)[0]) {
  const process = world.start();
  const app = createApp(process, clientKey.settings);
  const answer = await call({ app }, method, of, { ...sent, headers: { ...sent?.headers, ...headers } });
  // ETags are numbered across all images of a world.
  const visible = [...answer.headers].filter(([name]) => name !== "etag");
  return { status: answer.status, headers: visible, bytes: answer.bytes, steps: process.calls.names };
}

const put = (world: World, headers: Record<string, string>, id = "customer-1001", query = "") =>
  call({ app: createApp(world.start(), clientKey.settings) }, "PUT", `/api/reference-images/${id}`, {
    ...{ headers, body: theirs, query },
  });

describe("an id in use in one namespace is indistinguishable from a free one in another", () => {
  for (const [other, sender] of [
    ["service", "alice"],
    ["service by its role", "alice"],
    ["service with a user's principal", "alice"],
    ["alice", "service"],
    ["alice", "service with a user's principal"],
    ["alice", "bob"],
  ] as const) {
    for (const request of requests) {
      test(`${other} stores an image, ${sender} sends ${request.name}`, async () => {
        const [free, taken] = [createWorld(), createWorld()];
        await put(taken, callers[other], "customer-1001", "?deviceCorrelationId=another-device");
        const before = taken.blobs.images.size;
        assert.deepEqual(await see(taken, callers[sender], request), await see(free, callers[sender], request));
        assert.equal(taken.blobs.images.size, before + free.blobs.images.size, "the other image remains");
        const kept = await see(taken, callers[other], { name: "GET", method: "GET" });
        assert.deepEqual(kept.bytes, theirs);
      });
    }
  }
});

describe("an image uploaded with a creation", () => {
  const id = "c0ffee00-0000-4000-8000-000000000001";

  test("is indistinguishable from a missing one for other users, and its bytes are not read", async () => {
    for (const part of ["", "/metadata"]) {
      const [free, taken] = [createWorld(), createWorld()];
      const image = { bytes: theirs, facts: inspectImage(theirs), owner: ownerOf("alice") };
      await taken.start().deps.images.put(`sessions/${id}`, image);
      const read = { name: "GET", method: "GET", of: `/api/reference-images/${id}${part}` } as const;
      const seen = await see(taken, callers.bob, read);
      assert.deepEqual(seen, await see(free, callers.bob, read));
      assert.equal(seen.status, 404);
      assert.equal((await see(taken, callers.alice, read)).status, 200);
      assert.equal((await see(taken, callers.service, read)).status, 200);
    }
  });
});

describe("the name of an image", () => {
  test("is in the folder of the services or of the user, for every valid id", () => {
    assert.equal(heldImageName({ trusted: true, owner: "o" }, "a_B-9"), "held/a_B-9");
    assert.equal(heldImageName({ trusted: false, owner: "o" }, "a_B-9"), "held-by/o/a_B-9");
    for (const id of ["", "../x", "a/b", "..", "a:b", "x".repeat(65)]) {
      assert.throws(() => heldImageName({ trusted: true }, id), TypeError);
    }
    assert.throws(() => heldImageName({ trusted: false }, "a"), TypeError);
  });
});

describe("a user's images", () => {
  /** An app with another limit. */
  const limited = (world: World, ownerImages: number, process = world.start()) => {
    const { deps } = process;
    return createApp({ ...process, deps: { ...deps, limits: { ...deps.limits, ownerImages } } }, clientKey.settings);
  };
  const send = (app: ReturnType<typeof limited>, method: "PUT" | "DELETE", id: string) =>
    call({ app }, method, `/api/reference-images/${id}`, {
      headers: callers.alice,
      ...(method === "PUT" && { body: mine, query: "?deviceCorrelationId=a-device" }),
    });
  const notesOf = async (world: World) => {
    const { boundImages } = await world.start().deps.devices.contentsOf("a-device");
    return boundImages.map(({ name }) => name).sort();
  };

  test("are limited in number, and can be replaced and deleted at the limit", async () => {
    const world = createWorld();
    const app = limited(world, 2);
    for (const id of ["a", "b"]) assert.equal((await send(app, "PUT", id)).status, 201);
    const refused = await send(app, "PUT", "c");
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("x-ms-error-code"), "TooManyReferenceImages");
    assert.equal(refused.headers.has("retry-after"), false);
    assert.partialDeepStrictEqual(refused.json, { error: { code: "TooManyReferenceImages", statusCode: 429 } });
    assert.equal((await notesOf(world)).length, 2, "no note of the refused image");
    assert.equal((await send(app, "PUT", "a")).status, 200);
    assert.equal((await put(world, callers.bob)).status, 201, "another user's");
    for (const id of ["a", "b", "c"]) assert.equal((await put(world, callers.service, id)).status, 201);
    assert.equal((await send(app, "DELETE", "a")).status, 204);
    assert.equal((await send(app, "PUT", "c")).status, 201);
    assert.equal((await send(app, "PUT", "a")).status, 429);
  });

  test("are refused before the write to storage if the limit is reached", async () => {
    const world = createWorld();
    await send(limited(world, 1), "PUT", "a");
    const process = world.start();
    assert.equal((await send(limited(world, 1, process), "PUT", "b")).status, 429);
    assert.deepEqual(process.calls.names, ["images.facts", "images.count"]);
  });

  test("never exceed the limit with two concurrent requests", async () => {
    for (let turn = 1; turn <= 14; turn += 1) {
      for (const second of ["b", "a"]) {
        const world = createWorld();
        await send(limited(world, 2), "PUT", "first");
        const process = world.start(({ number, when }) => {
          if (number === turn && when === "before") started = send(limited(world, 2), "PUT", second);
          return undefined;
        });
        let started: ReturnType<typeof send> | undefined;
        await send(limited(world, 2, process), "PUT", "a");
        await started;
        const names = [...world.blobs.images.keys()];
        assert.ok(names.length <= 2, `${names.join()} with ${second} before call ${turn}`);
        assert.deepEqual(await notesOf(world), names.sort());
      }
    }
  });

  test("do not exceed the limit if the new image is replaced before it is refused", async () => {
    const world = createWorld();
    const others = limited(world, 2);
    await send(others, "PUT", "first");
    let counts = 0;
    const process = world.start();
    const { images } = process.deps;
    const count: typeof images.count = async (folder, upTo) => {
      counts += 1;
      // Between the request's two checks, another request uses the last place and replaces the new image.
      if (counts === 2) {
        await images.put(`${folder}second`, { bytes: theirs, facts: inspectImage(theirs) });
        await send(others, "PUT", "a");
      }
      return images.count(folder, upTo);
    };
    const deps = { ...process.deps, images: { ...images, count } };
    assert.equal((await send(limited(world, 2, { ...process, deps }), "PUT", "a")).status, 429);
    assert.equal(world.blobs.images.size, 2);
  });
});
