import assert from "node:assert/strict";
import { test } from "node:test";
import { recordResult } from "../../../../src/liveness/result/record-result.ts";
import { drain } from "../../../../src/liveness/retain/maintain.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld } from "../../fakes/world.ts";

test("session not found at the service -> Expired, and the timer asks the service once more", async () => {
  const world = createWorld();
  const stored = await seedSession(world);
  const { sessionId } = stored.record;
  const session = world.service.live.get(sessionId);
  assert.ok(session);
  world.service.live.delete(sessionId);
  await recordResult(world.start().deps, stored);
  assert.equal(world.record().status, "Expired");

  world.service.live.set(sessionId, session);
  play(world.service, sessionId, realFace());
  world.advance({ minutes: 12 });
  await drain(world.start().maintenance(), world.now() + 60_000);
  const { status, attempts, decision } = world.record();
  assert.deepEqual({ status, attempts, decision }, { status: "Succeeded", attempts: 1, decision: "accepted" });
});

test("run stopped after it recorded the missing session -> the next run does not ask the service again", async () => {
  const world = createWorld();
  const { record } = await seedSession(world);
  world.service.live.delete(record.sessionId);
  world.advance({ minutes: 12 });
  const killed = world.start(({ name }) => (name === "expiry.put" ? "stop" : undefined));
  await killed.attempt(() => drain(killed.maintenance(), world.now() + 60_000));
  assert.equal(world.record().status, "Expired");

  const { calls, maintenance } = world.start();
  const { collected } = await drain(maintenance(), world.now() + 60_000);
  assert.equal(collected, 1);
  assert.deepEqual(
    calls.names.filter((name) => name.startsWith("face.")),
    [],
  );
});
