import assert from "node:assert/strict";
import { test } from "node:test";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { runTimer } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { createReceiver, deliveryRowsOf, eventRowsOf, failing } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, trusted } from "../fakes/world.ts";

test("two runs of the timer deliver an event at once -> one series of retries follows", async () => {
  const world = createWorld();
  const receiver = createReceiver(async (nth) => {
    // The first retry takes so long that another run begins and ends meanwhile.
    if (nth === 2) {
      world.advance({ minutes: 6 });
      await runTimer(world.start());
      world.advance({ minutes: 6 });
    }
    return failing;
  });
  world.targets.push(receiver);
  const { record } = await seedSession(world, { ttlSeconds: 86_400 });
  play(world.service, record.sessionId, realFace());
  await settleSession(world.start().deps, trusted, record.sessionId, {});
  for (let minutes = 0; minutes < 38 * 60; minutes += 5) {
    world.advance({ minutes: 5 });
    await runTimer(world.start());
  }
  // The sixth retry follows after 32 hours.
  assert.deepEqual(
    eventRowsOf(world).map(({ attempts }) => attempts),
    [6],
  );
  assert.equal(deliveryRowsOf(world).length, 1);
});
