import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { OpenedSession } from "../../../../src/liveness/open/open-session.ts";
import { eraseUser } from "../../../../src/liveness/retain/erase-user.ts";
import { type Deed, userDeeds } from "../../fakes/kill-points.ts";
import { interleavingsOf } from "../../fakes/moments.ts";
import { tracesOf } from "../../fakes/traces.ts";
import { createWorld, type Process, type World } from "../../fakes/world.ts";

const user = "a-user";

async function arranged(deed: Deed): Promise<World> {
  const world = createWorld();
  await deed.arrange(world);
  return world;
}

/** The session of a creation whose token was returned. */
const deliveredOf = (outcome: object) =>
  "value" in outcome ? (outcome.value as Partial<OpenedSession> | undefined)?.created?.sessionId : undefined;

for (const deed of userDeeds) {
  const operate = ({ deps }: Process, world: World) => deed.operate(deps, world);

  describe(`eraseUser during ${deed.what}`, async () => {
    for (const { name, run } of await interleavingsOf(() => arranged(deed), operate)) {
      test(`erased ${name} -> only a session that was created later is left, and the next erasure finds it`, async () => {
        const world = await arranged(deed);
        const earlier = new Set(world.service.live.keys());
        const process = world.start(run(() => eraseUser(world.start().deps, user)));
        const outcome = await process.attempt(() => operate(process, world));
        const delivered = deliveredOf(outcome);
        const isLater = delivered !== undefined && !earlier.has(delivered) && world.service.live.has(delivered);
        assert.equal((await eraseUser(world.start().deps, user)).sessions, Number(isLater));
        assert.equal(delivered !== undefined && world.service.live.has(delivered), false);
        assert.deepEqual(tracesOf(world, user), {});
      });
    }
  });

  describe(`${deed.what}, during eraseUser`, async () => {
    const erase = ({ deps }: Process) => eraseUser(deps, user);
    for (const { name, run } of await interleavingsOf(() => arranged(deed), erase)) {
      test(`${name} -> the erasure removes it, or the next one`, async () => {
        const world = await arranged(deed);
        const other = world.start();
        const outcome = Promise.withResolvers<object>();
        const process = world.start(run(async () => outcome.resolve(await other.attempt(() => operate(other, world)))));
        await erase(process);
        const delivered = deliveredOf(await outcome.promise);
        const isLeft = delivered !== undefined && world.service.live.has(delivered);
        assert.equal((await eraseUser(world.start().deps, user)).sessions, Number(isLeft));
        assert.equal(delivered !== undefined && world.service.live.has(delivered), false);
        assert.deepEqual(tracesOf(world, user), {});
      });
    }
  });
}
