import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stopAt } from "../fakes/calls.ts";
import { callsOf, deeds, outlive } from "../fakes/kill-points.ts";
import { createWorld } from "../fakes/world.ts";

// The same walk as in test/api/storage, which is slower and goes over Azurite.

for (const deed of deeds) {
  describe(`${deed.what}, killed anywhere, leaves nothing that the timer does not remove`, async () => {
    const names = await callsOf(deed, createWorld());
    for (const [index, name] of names.entries()) {
      for (const when of ["before", "after"] as const) {
        test(`${when} call ${index + 1}, ${name}`, async () => {
          const world = createWorld();
          await outlive(deed, world, stopAt(index + 1, when));
          assert.deepEqual(world.everything(), createWorld().everything());
        });
      }
    }
  });
}
