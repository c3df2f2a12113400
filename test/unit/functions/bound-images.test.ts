import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { heldImageName } from "../../../src/liveness/images/find-image.ts";
import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { keepImage } from "../../../src/liveness/images/keep-image.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { sweepImages } from "../../../src/liveness/retain/sweep-images.ts";
import { boundImageRow } from "../../../src/storage/rows/keys.ts";
import { makeImage } from "../../fixtures/images.ts";
import { call, createApp, plus, type Sent, send, service, user } from "../fakes/app.ts";
import { emptyWorld, interleave, testInterleavings, testInterruptions } from "../fakes/moments.ts";
import { clientKey, ownerOf } from "../fakes/principals.ts";
import { assertNothingStored, createWorld, type Process, type World } from "../fakes/world.ts";

const device = "a-device";
const body = makeImage();
const alice = { trusted: false, owner: ownerOf("alice") };
const name = heldImageName(alice, "a-face");

const erase = (world: World) => eraseDevice(world.start().deps, device);

async function assertErasable(world: World): Promise<void> {
  await erase(world);
  assertNothingStored(world);
}

/** Pairs of device and noted image. */
async function notesOf(world: World): Promise<string[][]> {
  const { devices } = world.start().deps;
  const ofDevices = [device, "another-device", "a-third-device"].map(async (one) => {
    const { boundImages } = await devices.contentsOf(one);
    return boundImages.map(({ name }) => [one, name]);
  });
  return (await Promise.all(ofDevices)).flat();
}

describe("the erasure of a device finds an image", async () => {
  const image = { referenceImageId: "a-face", bytes: body, deviceCorrelationId: device, permits: () => true };
  const keep = ({ deps }: Process) => keepImage(deps, alice, image);
  await testInterleavings("stored during an earlier erasure {}", emptyWorld, keep, erase, assertErasable);
  await testInterruptions("found, although storing it was interrupted", emptyWorld, keep, assertErasable);
});

describe("a device has a note of exactly the images that are bound to it", () => {
  type Change = (deps: Process["deps"], world: World) => Promise<unknown>;
  const request = (deps: Process["deps"], world: World, method: "PUT" | "DELETE", sent: Sent = {}) => {
    const app = createApp({ ...world.start(), deps }, clientKey.settings);
    return call({ app }, method, "/api/reference-images/a-face", plus(user("alice"), sent));
  };
  const keep = (device?: string, headers = {}): Change => {
    const query = device === undefined ? "" : `?deviceCorrelationId=${device}`;
    return (deps, world) => request(deps, world, "PUT", { body, query, headers });
  };
  const sweepAfterDay: Change = ({ retention, ...deps }) => {
    const onFailure = ({ cause }: { cause: unknown }) => assert.fail(String(cause));
    return sweepImages({ ...deps, retention: { ...retention, referenceImageDays: 1 }, onFailure }, Infinity);
  };
  const changes: Record<string, Change> = {
    "stored for its device": keep(device),
    "stored for another device": keep("another-device"),
    "stored for a third device": keep("a-third-device"),
    "stored without a device": keep(),
    "stored with If-Match of another version": keep("another-device", { "if-match": '"no version"' }),
    "stored with If-None-Match": keep("another-device", { "if-none-match": "*" }),
    deleted: (deps, world) => request(deps, world, "DELETE"),
    "erased with its device": (deps) => eraseDevice(deps, device),
    "deleted after its retention": sweepAfterDay,
  };
  /** A bound image past its retention, until it is replaced. */
  const arrange = async () => {
    const world = createWorld();
    await keep(device)(world.start().deps, world);
    world.advance({ days: 2 });
    return world;
  };
  const assertNoted = async (world: World, what: string) => {
    const bound = world.blobs.images.get(name)?.facts.deviceCorrelationId;
    assert.deepEqual(await notesOf(world), bound === undefined ? [] : [[bound, name]], what);
  };

  for (const [first, change] of Object.entries(changes)) {
    test(`${first}, concurrently with every other change`, async () => {
      for (const [second, meanwhile] of Object.entries(changes)) {
        // More turns than any request has storage calls.
        for (let turn = 0; turn <= 16; turn += 1) {
          const world = await arrange();
          const { deps } = world.start(interleave(turn, () => meanwhile(world.start().deps, world)));
          await change(deps, world);
          await assertNoted(world, `${second} before call ${turn}`);
        }
      }
    });
  }

  test("two requests change it in alternation, call by call", async () => {
    for (const [first, change] of Object.entries(changes)) {
      for (const [second, other] of Object.entries(changes)) {
        const world = await arrange();
        await Promise.all([change(world.start().deps, world), other(world.start().deps, world)]);
        await assertNoted(world, `${first}, and ${second}`);
      }
    }
  });

  test("the note contains the time of the latest binding", async () => {
    const world = await arrange();
    await keep(device)(world.start().deps, world);
    const { sessions } = z.object({ sessions: z.array(z.looseObject({})) }).parse(world.everything());
    const note = { partitionKey: device, rowKey: boundImageRow(name), boundOn: "2026-03-03T12:00:00.000Z" };
    assert.deepEqual(sessions, [note]);
  });
});

describe("a user's images", () => {
  /** An app with another limit. */
  const limited = (world: World, ownerImages: number, process = world.start()) => {
    const { deps } = process;
    return createApp({ ...process, deps: { ...deps, limits: { ...deps.limits, ownerImages } } }, clientKey.settings);
  };
  const change = (app: ReturnType<typeof limited>, method: "PUT" | "DELETE", id: string) =>
    call({ app }, method, `/api/reference-images/${id}`, {
      ...user("alice"),
      ...(method === "PUT" && { body, query: `?deviceCorrelationId=${device}` }),
    });
  const idsOf = (world: World) => [...world.blobs.images.keys()].sort();
  const notedIn = async (world: World) => (await notesOf(world)).map(([, noted]) => noted).sort();

  test("are limited in number, and can be replaced and deleted at the limit", async () => {
    const world = createWorld();
    const app = limited(world, 2);
    const put = async (id: string) => (await change(app, "PUT", id)).status;
    for (const id of ["a", "b"]) assert.equal(await put(id), 201);
    const refused = await change(app, "PUT", "c");
    assert.equal(refused.headers.get("x-ms-error-code"), "TooManyReferenceImages");
    assert.equal(refused.headers.has("retry-after"), false);
    assert.partialDeepStrictEqual(refused.json, { error: { code: "TooManyReferenceImages", statusCode: 429 } });
    assert.equal((await notesOf(world)).length, 2, "no note of the refused image");
    assert.equal(await put("a"), 200);
    for (const [other, id] of [[user("bob"), "a"], ...["a", "b", "c"].map((id) => [service, id] as const)] as const) {
      assert.equal((await send(world, "PUT", `/api/reference-images/${id}`, plus(other, { body }))).status, 201);
    }
    assert.equal((await change(app, "DELETE", "a")).status, 204);
    assert.deepEqual([await put("c"), await put("a")], [201, 429]);
  });

  test("are refused before the write to storage if the limit is reached", async () => {
    const world = createWorld();
    await change(limited(world, 1), "PUT", "a");
    const process = world.start();
    assert.equal((await change(limited(world, 1, process), "PUT", "b")).status, 429);
    assert.deepEqual(process.calls.names, ["images.facts", "images.count"]);
  });

  test("never exceed the limit with two concurrent requests", async () => {
    for (let turn = 1; turn <= 14; turn += 1) {
      for (const second of ["b", "a"]) {
        const world = createWorld();
        await change(limited(world, 2), "PUT", "first");
        let started: ReturnType<typeof change> | undefined;
        const process = world.start(({ number, when }) => {
          if (number === turn && when === "before") started = change(limited(world, 2), "PUT", second);
          return undefined;
        });
        await change(limited(world, 2, process), "PUT", "a");
        await started;
        const ids = idsOf(world);
        assert.ok(ids.length <= 2, `${ids.join()} with ${second} before call ${turn}`);
        assert.deepEqual(await notedIn(world), ids);
      }
    }
  });

  test("do not exceed the limit if the new image is replaced before it is refused", async () => {
    const world = createWorld();
    const others = limited(world, 2);
    await change(others, "PUT", "first");
    let counts = 0;
    const process = world.start();
    const { images } = process.deps;
    const count: typeof images.count = async (folder, upTo) => {
      counts += 1;
      // Between the request's two checks, another request uses the last place and replaces the new image.
      if (counts === 2) {
        await images.put(`${folder}second`, { bytes: body, facts: inspectImage(body) });
        await change(others, "PUT", "a");
      }
      return images.count(folder, upTo);
    };
    const deps = { ...process.deps, images: { ...images, count } };
    assert.equal((await change(limited(world, 2, { ...process, deps }), "PUT", "a")).status, 429);
    assert.equal(world.blobs.images.size, 2);
  });
});
