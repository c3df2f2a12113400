import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deeds, outlive, userDeeds } from "../fakes/kill-points.ts";
import { interruptionsOf } from "../fakes/moments.ts";
import { createWorld, type Process, type World } from "../fakes/world.ts";

// The test of the same name in test/api/storage repeats the walk over Azurite, where it takes longer.

for (const deed of [...deeds, ...userDeeds]) {
  describe(`timer after ${deed.what}, interrupted`, async () => {
    const arrange = async () => {
      const world = createWorld();
      await deed.arrange(world);
      return world;
    };
    const operate = ({ deps }: Process, world: World) => deed.operate(deps, world);
    for (const { name, hook } of await interruptionsOf(arrange, operate)) {
      test(`${name} -> removes everything`, async () => {
        const world = createWorld();
        await outlive(deed, world, hook);
        assert.deepEqual(world.everything(), createWorld().everything());
      });
    }
  });
}
