import assert from "node:assert/strict";
import { describe } from "node:test";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { resultOf } from "../../fakes/calls.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { type Process, trusted, type World } from "../../fakes/world.ts";

/** A session whose device has used its only attempt, and one more that the upstream version allows. */
const usedUp = async () => (await seedWorld({ attemptsAllowed: 1 }, realFace(), failedAttempt())).world;

const get = ({ deps }: Process, world: World) => getSession(deps, trusted, "liveness", world.record().sessionId);
const settle = ({ deps }: Process, world: World) => settleSession(deps, trusted, world.record().sessionId, {});
const remove = ({ deps }: Process, world: World) => deleteSession(deps, trusted, "liveness", world.record().sessionId);

function assertRecorded(world: World, status: string): void {
  assert.partialDeepStrictEqual(world.record(), { status, decision: "accepted", attempts: 2, final: true });
  assert.equal(world.tables.entries.all().length, 2);
  assert.equal(world.service.live.size, 0);
}

describe("two processes that read a session whose attempts are used up: one revokes it while the other reads", async () => {
  const getElsewhere = (world: World) => get(world.start(), world);
  for (const [name, operate] of Object.entries({ getSession: get, settleSession: settle })) {
    const title = `${name}, another one {} -> both succeed, one outcome`;
    await testInterleavings<unknown>(title, usedUp, operate, getElsewhere, async (world, outcome) => {
      resultOf(outcome);
      assertRecorded(world, "Succeeded");
      const { state } = await getElsewhere(world);
      assert.deepEqual([state.status, state.attempts.length], ["Succeeded", 1]);
    });
  }

  const title = "settleSession, a deletion {} -> the outcome is kept, status Canceled";
  const removeElsewhere = (world: World) => remove(world.start(), world);
  await testInterleavings(title, usedUp, settle, removeElsewhere, (world, outcome) => {
    resultOf(outcome);
    assertRecorded(world, "Canceled");
  });
});
