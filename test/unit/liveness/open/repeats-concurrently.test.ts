import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession } from "../../../../src/liveness/result/get-session.ts";
import { interleave } from "../../fakes/moments.ts";
import { command, createWorld, trusted } from "../../fakes/world.ts";

const asked = { ...command(), idempotencyKey: "once" };

/** More than a repeat makes. */
const turns = Array.from({ length: 24 }, (_, index) => index + 1);

describe("a repeat while another one replaces the session", () => {
  for (const turn of turns) {
    test(`does not say that the session has been used: before call ${turn}`, async () => {
      const world = createWorld();
      await openSession(world.start().deps, asked);
      const another = () => world.start().attempt((others) => openSession(others, asked));
      const outcome = await world.start(interleave(turn, another)).attempt((deps) => openSession(deps, asked));
      if (!("value" in outcome)) {
        assert.ok("error" in outcome);
        assert.equal((outcome.error as { code?: string }).code, "CreationInProgress");
      }
      assert.equal(world.service.live.size, 1);
    });
  }

  test("says so of one that its owner has deleted", async () => {
    const world = createWorld();
    const { record } = await openSession(world.start().deps, asked);
    await deleteSession(world.start().deps, trusted, "liveness", record.sessionId);
    for (let count = 0; count < 2; count += 1) {
      await assert.rejects(openSession(world.start().deps, asked), { code: "SessionAlreadyUsed" });
    }
  });
});
