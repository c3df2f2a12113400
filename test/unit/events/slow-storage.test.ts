import assert from "node:assert/strict";
import { test } from "node:test";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { runTimer } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, trusted } from "../fakes/world.ts";

test("events cannot be read in time -> the run still collects results, and later ones list the rest", async () => {
  const world = createWorld();
  const { record: lost } = await seedSession(world, { deviceCorrelationId: "never-settled" });
  play(world.service, lost.sessionId, realFace());
  world.advance({ minutes: 20 });
  for (let number = 0; number < 60; number += 1) {
    const { record } = await seedSession(world, { deviceCorrelationId: `device-${number}`, ttlSeconds: 86_400 });
    play(world.service, record.sessionId, realFace());
    await settleSession(world.start().deps, trusted, record.sessionId, {});
  }
  world.advance({ minutes: 2 });
  const slow = world.start(({ name, when }) => {
    if (name === "sessions.get" && when === "before") world.advance({ seconds: 5 });
    return undefined;
  });
  await runTimer(slow);
  const collected = () => world.tables.records.all().find(({ value }) => value.sessionId === lost.sessionId)?.value;
  assert.equal(collected()?.decision, "accepted");
  world.advance({ minutes: 5 });
  await runTimer(world.start());
  assert.equal(world.storage.outcomes.all().filter(({ sessionId }) => sessionId !== undefined).length, 61);
});
