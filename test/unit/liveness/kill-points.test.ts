import { describe } from "node:test";
import { arranged, expire, scenarios, userScenarios } from "../fakes/kill-points.ts";
import { testInterruptions } from "../fakes/moments.ts";
import { assertNothingLeft, type Process, type World } from "../fakes/world.ts";

// The test of the same name in test/api/storage repeats the walk over Azurite, where it takes longer.

for (const scenario of [...scenarios, ...userScenarios]) {
  describe(`timer after ${scenario.what}, interrupted`, async () => {
    const arrange = () => arranged(scenario);
    const operate = ({ deps }: Process, world: World) => scenario.operate(deps, world);
    await testInterruptions("removes everything", arrange, operate, async (world) => {
      await expire(world);
      assertNothingLeft(world);
    });
  });
}
