import assert from "node:assert/strict";
import { test } from "node:test";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, trusted } from "../../fakes/world.ts";

test("40 rejected sessions of a device settled concurrently -> the guard counts 40 rejections", async () => {
  const world = createWorld();
  const sessionIds: string[] = [];
  for (let count = 0; count < 40; count += 1) {
    const { sessionId } = (await seedSession(world)).record;
    play(world.service, sessionId, realFace({ livenessDecision: "spoofface" }));
    sessionIds.push(sessionId);
  }
  await Promise.all(sessionIds.map((sessionId) => settleSession(world.start().deps, trusted, sessionId, {})));
  assert.equal(world.tables.guards.all()[0]?.value.rejectionsInARow, 40);
});
