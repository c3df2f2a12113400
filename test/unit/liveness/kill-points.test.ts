import assert from "node:assert/strict";
import { describe } from "node:test";
import { eraseUser } from "../../../src/liveness/retain/erase-user.ts";
import { runTimerAfter } from "../fakes/app.ts";
import { expire, scenarios, testScenario, userScenarios } from "../fakes/kill-points.ts";
import { assertNothingLeft, tracesOf, type World } from "../fakes/world.ts";

// The test of the same name in test/api/storage repeats the walk over Azurite, where it takes longer.

for (const scenario of [...scenarios, ...userScenarios]) {
  describe(`timer after ${scenario.what}, interrupted`, async () => {
    await testScenario(scenario, "removes everything", async (world) => {
      await expire(world);
      assertNothingLeft(world);
    });
  });
}

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
    await runTimerAfter(world, { days: 1 });
  }
  assert.deepEqual(tracesOf(world, user), {});
}

// The timer itself completes what it has begun.
for (const scenario of userScenarios.filter(({ isTimer }) => !isTimer)) {
  // An interrupted erasure of the device has to be repeated itself: it removes entries before the sessions' own rows.
  for (const repeats of scenario.erasesDevice ? [true] : [false, true]) {
    describe(`eraseUser after ${scenario.what}, interrupted${repeats ? " and repeated" : ""}`, async () => {
      await testScenario(scenario, "leaves nothing of the user", async (world) => {
        if (repeats) await world.start().attempt((deps) => scenario.operate(deps, world));
        await eraseUser(world.start().deps, user);
        await assertErased(world);
      });
    });
  }
}
