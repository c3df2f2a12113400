import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { interleavingsOf } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

/** A session whose device has used its only attempt, and one more that the upstream version allows. */
async function usedUp(): Promise<World> {
  const world = createWorld();
  const { record } = await seedSession(world, { attemptsAllowed: 1 });
  play(world.service, record.sessionId, realFace());
  play(world.service, record.sessionId, failedAttempt());
  return world;
}

const get = ({ deps }: Process, world: World) => getSession(deps, trusted, "liveness", world.record().sessionId);
const settle = ({ deps }: Process, world: World) => settleSession(deps, trusted, world.record().sessionId, {});

describe("two processes that read a session whose attempts are used up: one revokes it while the other reads", async () => {
  for (const [name, operate] of [
    ["getSession", get],
    ["settleSession", settle],
  ] as const) {
    for (const { name: moment, run } of await interleavingsOf(usedUp, operate)) {
      test(`${name}, another one ${moment} -> both succeed, one outcome`, async () => {
        const world = await usedUp();
        await operate(world.start(run(() => get(world.start(), world))), world);
        const { status, decision, attempts, final } = world.record();
        assert.deepEqual(
          { status, decision, attempts, final },
          { status: "Succeeded", decision: "accepted", attempts: 2, final: true },
        );
        assert.equal(world.tables.entries.all().length, 2);
        assert.equal(world.service.live.size, 0);
        const { state } = await get(world.start(), world);
        assert.deepEqual([state.status, state.attempts.length], ["Succeeded", 1]);
      });
    }
  }

  for (const { name: moment, run } of await interleavingsOf(usedUp, settle)) {
    test(`settleSession, a deletion ${moment} -> the outcome is kept, status Canceled`, async () => {
      const world = await usedUp();
      const remove = () => deleteSession(world.start().deps, trusted, "liveness", world.record().sessionId);
      await settle(world.start(run(remove)), world);
      const { status, decision, attempts } = world.record();
      assert.deepEqual([status, decision, attempts], ["Canceled", "accepted", 2]);
      assert.equal(world.service.live.size, 0);
    });
  }
});
