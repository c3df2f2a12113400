import assert from "node:assert/strict";
import { test } from "node:test";
import { redeliver } from "../../../src/events/redeliver.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { runTimer } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { createReceiver, eventRowsOf } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, trusted, type World } from "../fakes/world.ts";

async function settled(...receivers: ReturnType<typeof createReceiver>[]): Promise<World> {
  const world = createWorld();
  world.targets.push(...receivers);
  const { record } = await seedSession(world, { ttlSeconds: 86_400 });
  play(world.service, record.sessionId, realFace());
  await settleSession(world.start().deps, trusted, record.sessionId, {});
  world.advance({ minutes: 2 });
  await runTimer(world.start());
  return world;
}

async function redeliverOnly(world: World) {
  const { deps } = world.start();
  const ref = (await deps.eventIndex.find(String(eventRowsOf(world)[0]?.id))) ?? assert.fail();
  return redeliver(deps, (await deps.outbox.get(ref)) ?? assert.fail());
}

test("redelivery to a receiver that is disabled since -> the event stays delivered", async () => {
  const world = await settled(createReceiver((nth) => ({ outcome: nth === 1 ? "delivered" : "gone" })));
  const { deliveries } = await redeliverOnly(world);
  assert.equal(deliveries.receiver?.state, "delivered");
});
