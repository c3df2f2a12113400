import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eraseUser } from "../../../../src/liveness/retain/erase-user.ts";
import { runTimer } from "../../fakes/app.ts";
import { userDeeds } from "../../fakes/kill-points.ts";
import { interruptionsOf } from "../../fakes/moments.ts";
import { tracesOf } from "../../fakes/traces.ts";
import { createWorld, type Process, type World } from "../../fakes/world.ts";

const user = "a-user";

/**
 * Asserts that nothing is left of the user; but for the key and the due row of a creation that was interrupted before it
 * wrote its entry, which the timer removes when the token would have ended. No session was delivered then.
 */
async function assertErased(world: World): Promise<void> {
  const { sessions = [], expiry = [], ...others } = tracesOf(world, user);
  assert.deepEqual(others, {});
  for (const row of [...sessions, ...expiry]) assert.equal("sessionId" in row || "session" in row, false);
  for (let days = 0; days < 3 && Object.keys(tracesOf(world, user)).length > 0; days += 1) {
    world.advance({ days: 1 });
    await runTimer(world.start());
  }
  assert.deepEqual(tracesOf(world, user), {});
}

// The timer itself completes what it has begun.
for (const deed of userDeeds.filter(({ isTimer }) => !isTimer)) {
  describe(`eraseUser after ${deed.what}, interrupted`, async () => {
    const arrange = async () => {
      const world = createWorld();
      await deed.arrange(world);
      return world;
    };
    const operate = ({ deps }: Process, world: World) => deed.operate(deps, world);
    for (const { name, hook } of await interruptionsOf(arrange, operate)) {
      // An interrupted erasure of the device has to be repeated itself: it removes entries before the sessions' own rows.
      for (const repeats of deed.erasesDevice ? [true] : [false, true]) {
        test(`${name}${repeats ? ", and repeated" : ""} -> leaves nothing of the user`, async () => {
          const world = await arrange();
          for (const process of repeats ? [world.start(hook), world.start()] : [world.start(hook)]) {
            await process.attempt(() => operate(process, world));
          }
          await eraseUser(world.start().deps, user);
          await assertErased(world);
        });
      }
    }
  });
}
