import assert from "node:assert/strict";
import { describe } from "node:test";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { drainOnce } from "../../fakes/maintenance.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, type Process, sessionAt, trusted, type World } from "../../fakes/world.ts";

/** A session owned by alice with two attempts, due for collecting. */
async function arrange(): Promise<World> {
  const attempts = [failedAttempt(), realFace({ sessionImageId: "an-image" })];
  const { world } = await seedWorld({ uploads: true, owner: "alice" }, ...attempts);
  world.advance({ minutes: 12 });
  return world;
}

const kind = "livenessWithVerify";
const collectAndPrune = { retention: { sessionHours: 0, outcomeDays: 90 } };

const operations: [string, (process: Process, world: World) => Promise<unknown>][] = [
  ["settleSession", ({ deps }, world) => settleSession(deps, trusted, sessionAt(world), { digest: "service-digest" })],
  ["getSession", ({ deps }, world) => getSession(deps, trusted, kind, sessionAt(world))],
  ["deleteSession", ({ deps }, world) => deleteSession(deps, trusted, kind, sessionAt(world))],
  ["collecting and pruning", (process, world) => drainOnce(process, world, collectAndPrune)],
];

for (const [what, operate] of operations) {
  describe(`eraseDevice during ${what}`, async () => {
    const erase = (world: World) => eraseDevice(world.start().deps, "a-device");
    await testInterleavings("erased {} -> leaves no rows of the device", arrange, operate, erase, (world) => {
      assertNothingStored(world);
      assert.equal(world.service.live.size, 0);
    });
  });
}
