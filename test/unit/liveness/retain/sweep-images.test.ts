import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeldImageName, ImageName } from "../../../../src/liveness/model/images.ts";
import { type SweepDeps, sweepImages } from "../../../../src/liveness/retain/sweep-images.ts";
import { makeImage } from "../../../fixtures/images.ts";
import { failOn, type Hook } from "../../fakes/calls.ts";
import { runMaintenance } from "../../fakes/maintenance.ts";
import { testInterruptions } from "../../fakes/moments.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { createWorld, type Process, type World } from "../../fakes/world.ts";

const facts = { contentType: "image/png", width: 100, height: 100, sha256: "0".repeat(64) } as const;

function put(world: World, name: ImageName, deviceCorrelationId?: string) {
  const device = deviceCorrelationId === undefined ? {} : { deviceCorrelationId };
  return world.start().deps.images.put(name, { bytes: makeImage(), facts, ...device });
}

async function putBound(world: World, name: HeldImageName): Promise<void> {
  await put(world, name, "a-device");
  await world.start().deps.devices.bindImage("a-device", name, new Date(world.now()).toISOString());
}

async function sweep(world: World, options: Partial<SweepDeps> = {}, hook?: Hook) {
  const { deps, calls } = world.start(hook);
  const failures: { image?: string; cause: unknown }[] = [];
  const removed = await sweepImages(
    { ...deps, onFailure: (failure) => failures.push(failure), ...options },
    world.now() + 60_000,
  );
  return { removed, failures, names: calls.names };
}

const names = (world: World) => [...world.blobs.images.keys()].sort();
const retention = (sessionHours: number, referenceImageDays?: number) => ({
  retention: { sessionHours, outcomeDays: 90, ...(referenceImageDays !== undefined && { referenceImageDays }) },
});

describe("images uploaded with a creation", () => {
  test("without a session -> removed 10 minutes after the session retention, not earlier", async () => {
    const world = createWorld();
    await put(world, "sessions/orphan");
    world.advance({ hours: 48, minutes: 10, seconds: -1 });
    await put(world, "sessions/young");
    assert.equal((await sweep(world)).removed, 0);
    world.advance({ seconds: 1 });
    assert.equal((await sweep(world)).removed, 1);
    assert.deepEqual(names(world), ["sessions/young"]);
  });

  test("session whose token may be valid, short retention -> kept", async () => {
    const { world, record } = await seedWorld({ uploads: true, ttlSeconds: 86_400 });
    world.advance({ hours: 24, minutes: 2 });
    assert.equal((await sweep(world, retention(1))).removed, 0);
    assert.deepEqual(names(world), [`sessions/${record.creationId}`]);
  });

  test("timer prunes on time -> the sweep removes none", async () => {
    const { world } = await seedWorld({ uploads: true });
    for (let run = 0; run < 12 * 49; run += 1) {
      world.advance({ minutes: 5 });
      await runMaintenance(world);
      assert.equal((await sweep(world)).removed, 0);
    }
    assert.deepEqual(names(world), []);
  });
});

describe("held reference images", () => {
  test("no retention configured -> kept without listing them", async () => {
    const world = createWorld();
    await put(world, "held/passport");
    await put(world, "held-by/alice/passport");
    world.advance({ days: 4000 });
    const { removed, names: calls } = await sweep(world);
    assert.deepEqual([removed, calls], [0, ["bookmarks.read", "images.list"]]);
  });

  test("older than the retention -> removed with the note at their device", async () => {
    const world = createWorld();
    await put(world, "held/free");
    await putBound(world, "held/bound");
    await putBound(world, "held-by/alice/bound");
    world.advance({ days: 30, seconds: -1 });
    await putBound(world, "held/young");
    await putBound(world, "held-by/alice/young");
    assert.equal((await sweep(world, retention(48, 30))).removed, 0);
    world.advance({ seconds: 1 });
    assert.equal((await sweep(world, retention(48, 30))).removed, 3);
    assert.deepEqual(names(world), ["held-by/alice/young", "held/young"]);
    const { boundImages } = await world.start().deps.devices.contentsOf("a-device");
    assert.deepEqual(boundImages.map(({ name }) => name).sort(), ["held-by/alice/young", "held/young"]);
  });

  test("replaced after they were listed -> kept", async () => {
    const world = createWorld();
    await put(world, "held/passport");
    world.advance({ days: 30 });
    const replace: Hook = ({ name, when }) =>
      name === "images.list" && when === "after" ? put(world, "held/passport").then(() => undefined) : undefined;
    const { removed, failures } = await sweep(world, retention(48, 30), replace);
    assert.deepEqual([removed, failures, names(world)], [0, [], ["held/passport"]]);
  });
});

describe("sweepImages", async () => {
  /** Twenty old images on pages of two. */
  async function many(): Promise<World> {
    const world = createWorld();
    for (let number = 10; number < 30; number += 1) await put(world, `sessions/${number}`);
    world.advance({ days: 3 });
    return world;
  }

  test("more pages than one run reads -> the next run continues at the bookmark", async () => {
    const world = await many();
    assert.equal((await sweep(world)).removed, 10);
    assert.notEqual(world.blobs.bookmarks.get("images"), undefined);
    assert.equal((await sweep(world)).removed, 10);
    assert.equal(world.blobs.bookmarks.get("images"), undefined, "the bookmark is removed at the end of the list");
    assert.deepEqual(names(world), []);
  });

  test("image cannot be removed -> reports it and removes the others", async () => {
    const world = await many();
    const { removed, failures } = await sweep(world, {}, failOn("images.delete", "before", 3));
    assert.deepEqual([removed, failures.map(({ image }) => image)], [9, ["sessions/12"]]);
  });

  test("listing fails -> reports the failure", async () => {
    const { removed, failures } = await sweep(await many(), {}, failOn("images.list"));
    assert.deepEqual([removed, failures.length], [0, 1]);
  });

  test("storage rejects the bookmark -> starts from the beginning", async () => {
    const world = await many();
    world.blobs.bookmarks.set("images", "outdated");
    const reject: Hook = ({ name, nth, when }) =>
      name === "images.list" && nth === 1 && when === "before" ? new RangeError("unknown bookmark") : undefined;
    assert.equal((await sweep(world, {}, reject)).removed, 10);
  });

  test("deadline passes -> stops after the page", async () => {
    const world = await many();
    const delay: Hook = ({ name, when }) => {
      if (name === "images.list" && when === "before") world.advance({ minutes: 1 });
      return undefined;
    };
    assert.equal((await sweep(world, {}, delay)).removed, 2);
  });

  const sweepOnce = ({ deps }: Process, world: World) =>
    sweepImages({ ...deps, onFailure: () => undefined }, world.now() + 60_000);
  await testInterruptions("later runs remove everything", many, sweepOnce, async (world) => {
    for (let run = 0; run < 5; run += 1) await sweep(world);
    assert.deepEqual([names(world), world.blobs.bookmarks.get("images")], [[], undefined]);
  });
});
