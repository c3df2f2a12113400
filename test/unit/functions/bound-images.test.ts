import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { heldImageName } from "../../../src/liveness/images/find-image.ts";
import { keepImage } from "../../../src/liveness/images/keep-image.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { sweepImages } from "../../../src/liveness/retain/sweep-images.ts";
import { boundImageRow } from "../../../src/storage/rows/keys.ts";
import { makeImage } from "../../fixtures/images.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { emptyWorld, interleave, interruptionsOf } from "../fakes/moments.ts";
import { clientKey, ownerOf, principal } from "../fakes/principals.ts";
import { createWorld, type Process, type World } from "../fakes/world.ts";

const device = "a-device";

/** Sends a request for the image; `meanwhile` runs before the request's storage call number `turn`. */
function send(world: World, method: "PUT" | "DELETE", turn = 0, meanwhile = async (): Promise<unknown> => undefined) {
  const app = createApp(world.start(interleave(turn, meanwhile)));
  const sent = method === "PUT" ? { body: makeImage(), query: `?deviceCorrelationId=${device}` } : {};
  return call({ app }, method, "/api/reference-images/a-face", sent);
}

const erase = (world: World) => eraseDevice(world.start().deps, device);

async function assertErasable(world: World): Promise<void> {
  await erase(world);
  for (const [table, rows] of Object.entries(world.everything())) assert.deepEqual(rows, [], table);
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

/** Greater than the number of storage calls of any request. */
const turns = Array.from({ length: 16 }, (_, index) => index + 1);

describe("the erasure of a device finds a bound image", () => {
  for (const turn of turns) {
    test(`stored during an earlier erasure: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT", turn, () => erase(world));
      await assertErasable(world);
    });

    test(`deleted while it was stored: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT");
      await send(world, "PUT", turn, () => send(world, "DELETE"));
      await assertErasable(world);
    });

    test(`stored while it was deleted: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT");
      await send(world, "DELETE", turn, () => send(world, "PUT"));
      await assertErasable(world);
    });

    test(`stored while the device was erased: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT");
      await eraseDevice(world.start(interleave(turn, () => send(world, "PUT"))).deps, device);
      await assertErasable(world);
    });
  }
});

describe("a device has a note of exactly the images that are bound to it", () => {
  const name = heldImageName({ trusted: false, owner: ownerOf("alice") }, "a-face");
  const headers = principal("alice");
  type Deps = Process["deps"];
  const request = (deps: Deps, world: World, method: "PUT" | "DELETE", sent: Sent = {}) => {
    const app = createApp({ ...world.start(), deps }, clientKey.settings);
    return call({ app }, method, "/api/reference-images/a-face", { ...sent, headers: { ...headers, ...sent.headers } });
  };
  const keep = (device?: string, conditions = {}) => {
    const query = device === undefined ? "" : `?deviceCorrelationId=${device}`;
    return (deps: Deps, world: World) => request(deps, world, "PUT", { body: makeImage(), query, headers: conditions });
  };
  const changes: Record<string, (deps: Deps, world: World) => Promise<unknown>> = {
    "stored for its device": keep(device),
    "stored for another device": keep("another-device"),
    "stored for a third device": keep("a-third-device"),
    "stored without a device": keep(),
    "stored with If-Match of another version": keep("another-device", { "if-match": '"no version"' }),
    "stored with If-None-Match": keep("another-device", { "if-none-match": "*" }),
    deleted: (deps, world) => request(deps, world, "DELETE"),
    "erased with its device": (deps) => eraseDevice(deps, device),
    "deleted after its retention": (deps) =>
      sweepImages(
        {
          ...deps,
          retention: { ...deps.retention, referenceImageDays: 1 },
          onFailure: ({ cause }) => assert.fail(String(cause)),
        },
        Infinity,
      ),
  };
  const assertNoted = async (world: World, what: string) => {
    const bound = world.blobs.images.get(name)?.facts.deviceCorrelationId;
    assert.deepEqual(await notesOf(world), bound === undefined ? [] : [[bound, name]], what);
  };

  for (const [first, change] of Object.entries(changes)) {
    test(`${first}, concurrently with every other change`, async () => {
      for (const [second, meanwhile] of Object.entries(changes)) {
        for (const turn of [0, ...turns]) {
          const world = createWorld();
          await keep(device)(world.start().deps, world);
          // Past its retention, until it is replaced.
          world.advance({ days: 2 });
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
        const world = createWorld();
        await keep(device)(world.start().deps, world);
        world.advance({ days: 2 });
        await Promise.all([change(world.start().deps, world), other(world.start().deps, world)]);
        await assertNoted(world, `${first}, and ${second}`);
      }
    }
  });

  test("the note contains the time of the latest binding", async () => {
    const world = createWorld();
    await keep(device)(world.start().deps, world);
    world.advance({ hours: 1 });
    await keep(device)(world.start().deps, world);
    const { sessions } = z.object({ sessions: z.array(z.looseObject({})) }).parse(world.everything());
    const note = { partitionKey: device, rowKey: boundImageRow(name), boundOn: "2026-03-01T13:00:00.000Z" };
    assert.deepEqual(sessions, [note]);
  });
});

describe("the erasure of a device finds an image", async () => {
  const image = { referenceImageId: "a-face", bytes: makeImage(), deviceCorrelationId: device, permits: () => true };
  const caller = { trusted: false, owner: ownerOf("alice") };
  const keep = ({ deps }: Process) => keepImage(deps, caller, image);
  for (const { name, hook } of await interruptionsOf(emptyWorld, keep)) {
    test(`whose request was interrupted: ${name}`, async () => {
      const world = createWorld();
      await world.start(hook).attempt((deps) => keepImage(deps, caller, image));
      await assertErasable(world);
    });
  }
});

describe("images of a service and of a user with the same id", () => {
  test("are erased with the device of each", async () => {
    const world = createWorld();
    const put = (headers: Record<string, string>, of: string) =>
      call({ app: createApp(world.start(), clientKey.settings) }, "PUT", "/api/reference-images/a-face", {
        ...{ headers, body: makeImage(), query: `?deviceCorrelationId=${of}` },
      });
    for (const place of [device, "another-device"]) {
      await put(clientKey.headers, device);
      await put(principal("alice"), place);
      assert.deepEqual(await erase(world), { sessions: 0, referenceImages: place === device ? 2 : 1 });
    }
    assert.deepEqual(
      [...world.blobs.images.values()].map(({ facts }) => facts.deviceCorrelationId),
      ["another-device"],
    );
    const left = heldImageName({ trusted: false, owner: ownerOf("alice") }, "a-face");
    assert.deepEqual(await notesOf(world), [["another-device", left]]);
  });
});
