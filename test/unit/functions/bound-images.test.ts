import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eraseDevice } from "../../../src/liveness/erase-device.ts";
import { makeImage } from "../../fixtures/images.ts";
import { call, createApp } from "../fakes/app.ts";
import { interleave } from "../fakes/moments.ts";
import { createWorld, type World } from "../fakes/world.ts";

const device = "a-device";

/** A request for the image, with `meanwhile` done before its call number `turn`. */
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

/** More than any of the requests makes. */
const turns = Array.from({ length: 16 }, (_, index) => index + 1);

describe("an image bound to a device is found by its erasure", () => {
  for (const turn of turns) {
    it(`though it was kept during an earlier one: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT", turn, () => erase(world));
      await assertErasable(world);
    });

    it(`though it was removed while it was kept: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT");
      await send(world, "PUT", turn, () => send(world, "DELETE"));
      await assertErasable(world);
    });

    it(`though it was kept while it was removed: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT");
      await send(world, "DELETE", turn, () => send(world, "PUT"));
      await assertErasable(world);
    });

    it(`though it was kept while the device was erased: before call ${turn}`, async () => {
      const world = createWorld();
      await send(world, "PUT");
      await eraseDevice(world.start(interleave(turn, () => send(world, "PUT"))).deps, device);
      await assertErasable(world);
    });
  }
});
