import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { placed } from "../../../src/liveness/model/session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../src/liveness/retain/erase-device.ts";
import { eraseUser } from "../../../src/liveness/retain/erase-user.ts";
import { runTimer } from "../fakes/app.ts";
import { play, realFace } from "../fakes/face-service.ts";
import { createReceiver, failing } from "../fakes/receiver.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, trusted, type World } from "../fakes/world.ts";

/** A listed outcome whose record was written again by a version of the app that knows no events. */
async function writtenByEarlierVersion(): Promise<World> {
  const world = createWorld();
  world.targets.push(createReceiver(() => failing));
  const stored = await seedSession(world, { ttlSeconds: 86_400, userCorrelationId: "a-user" });
  const { record } = stored;
  play(world.service, record.sessionId, realFace());
  const { deps } = world.start();
  await deps.users.put("a-user", placed(stored));
  await settleSession(deps, trusted, record.sessionId, {});
  world.advance({ minutes: 2 });
  await runTimer(world.start());
  for (const { partition, row, value } of world.tables.records.all()) {
    const { revision: _, events: __, ...rest } = value;
    world.tables.records.put(partition, row, rest);
  }
  return world;
}

describe("record written by an earlier version of the app beside this one", () => {
  test("device erased -> nothing of it is left", async () => {
    const world = await writtenByEarlierVersion();
    await eraseDevice(world.start().deps, "a-device");
    assert.equal(/a-device|a-user/.test(JSON.stringify(world.everything())), false);
  });

  test("user erased -> nothing of the user is left", async () => {
    const world = await writtenByEarlierVersion();
    await eraseUser(world.start().deps, "a-user");
    assert.equal(/a-user/.test(JSON.stringify(world.everything())), false);
  });
});
