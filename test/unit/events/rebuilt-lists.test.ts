import assert from "node:assert/strict";
import { describe } from "node:test";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { runTimer } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { testInterleavings } from "../fakes/moments.ts";
import { listedEvents } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, trusted, type World } from "../fakes/world.ts";

/** Listed outcomes, whose lists an operator has removed. */
async function withoutLists(setInClient = false): Promise<World> {
  const world = createWorld();
  for (const deviceCorrelationId of ["device-1", "device-2"]) {
    const { record } = await seedSession(world, { deviceCorrelationId, setInClient, ttlSeconds: 86_400 });
    play(world.service, record.sessionId, realFace());
    await settleSession(world.start().deps, trusted, record.sessionId, {});
  }
  world.advance({ minutes: 2 });
  await runTimer(world.start());
  for (const { partitionKey, rowKey } of world.storage.outcomes.all()) {
    world.storage.outcomes.remove(partitionKey, rowKey);
  }
  return world;
}

describe("lists that are built again", async () => {
  const erase = (world: World) => eraseDevice(world.start().deps, "device-1");
  const title = "device erased {} of the run that builds them -> neither its outcomes nor its events are listed";
  await testInterleavings(title, withoutLists, runTimer, erase, (world) => {
    assert.equal(JSON.stringify(world.everything()).includes("device-1"), false);
    assert.ok(listedEvents(world).length >= 1);
  });
});
