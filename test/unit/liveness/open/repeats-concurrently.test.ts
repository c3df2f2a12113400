import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { interleavingsOf } from "../../fakes/moments.ts";
import { command, createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

const creation = { ...command(), idempotencyKey: "once" };

async function arrange(): Promise<World> {
  const world = createWorld();
  await openSession(world.start().deps, creation);
  return world;
}

const repeat = ({ deps }: Process) => openSession(deps, creation);

describe("repetition while another one replaces the session", async () => {
  for (const { name, run } of await interleavingsOf(arrange, repeat)) {
    test(`replaced ${name} -> a new session or CreationInProgress, not SessionAlreadyUsed`, async () => {
      const world = await arrange();
      const another = () => world.start().attempt((otherDeps) => openSession(otherDeps, creation));
      const outcome = await world.start(run(another)).attempt((deps) => openSession(deps, creation));
      if (!("value" in outcome)) {
        assert.ok("error" in outcome);
        assert.equal((outcome.error as { code?: string }).code, "CreationInProgress");
      }
      assert.equal(world.service.live.size, 1);
    });
  }

  test("session deleted by its owner -> SessionAlreadyUsed", async () => {
    const world = createWorld();
    const { record } = await openSession(world.start().deps, creation);
    await deleteSession(world.start().deps, trusted, "liveness", record.sessionId);
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(openSession(world.start().deps, creation), { code: "SessionAlreadyUsed" });
    }
  });
});
