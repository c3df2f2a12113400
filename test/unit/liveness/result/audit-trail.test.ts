import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAuditTrail } from "../../../../src/liveness/result/history.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { failOn } from "../../fakes/calls.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, trusted } from "../../fakes/world.ts";

describe("readAuditTrail", () => {
  test("attempt after the first result -> contained, and decides", async () => {
    const world = createWorld();
    const { sessionId } = (await seedSession(world)).record;
    const { deps } = world.start();
    const countOf = async () => (await readAuditTrail(deps, trusted, "liveness", sessionId)).attempts.length;
    play(world.service, sessionId, realFace({ livenessDecision: "uncertain" }));
    assert.equal(await countOf(), 1);
    play(world.service, sessionId, realFace());
    assert.equal(await countOf(), 2);
    assert.equal(world.record().decision, "accepted");
  });

  test("no further attempt possible -> read from the store without the service", async () => {
    for (const [attempts, minutes] of [
      [3, 0],
      [1, 12],
    ] as const) {
      const world = createWorld();
      const { sessionId } = (await seedSession(world)).record;
      for (let count = 1; count < attempts; count += 1) play(world.service, sessionId, failedAttempt());
      play(world.service, sessionId, realFace());
      world.advance({ minutes });
      await settleSession(world.start().deps, trusted, sessionId, {});
      const { deps } = world.start(failOn("face.get"));
      assert.equal((await readAuditTrail(deps, trusted, "liveness", sessionId)).attempts.length, attempts);
    }
  });
});
