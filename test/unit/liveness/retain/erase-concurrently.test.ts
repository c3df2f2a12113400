import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { drain } from "../../../../src/liveness/retain/maintain.ts";
import { failedAttempt, play, realFace } from "../../fakes/face-service.ts";
import { interleavingsOf } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

const device = "a-device";

/** A session owned by alice with two attempts, due for collecting. */
async function arrange(): Promise<World> {
  const world = createWorld();
  const { record } = await seedSession(world, { uploads: true, owner: "alice" });
  play(world.service, record.sessionId, failedAttempt());
  play(world.service, record.sessionId, realFace({ sessionImageId: "an-image" }));
  world.advance({ minutes: 12 });
  return world;
}

const sessionOf = (world: World) => [...world.service.live.keys()][0] ?? assert.fail();
const kind = "livenessWithVerify";

/** Collects and prunes in the same run. */
function maintain(process: Process, world: World): Promise<unknown> {
  return drain(process.maintenance({ retention: { sessionHours: 0, outcomeDays: 90 } }), world.now() + 60_000);
}

const operations: [string, (process: Process, world: World, sessionId: string) => Promise<unknown>][] = [
  [
    "settleSession",
    ({ deps }, _world, sessionId) => settleSession(deps, trusted, sessionId, { digest: "service-digest" }),
  ],
  ["getSession", ({ deps }, _world, sessionId) => getSession(deps, trusted, kind, sessionId)],
  ["deleteSession", ({ deps }, _world, sessionId) => deleteSession(deps, trusted, kind, sessionId)],
  ["collecting and pruning", maintain],
];

for (const [what, operate] of operations) {
  describe(`eraseDevice during ${what}`, async () => {
    const start = (process: Process, world: World) => operate(process, world, sessionOf(world));
    for (const { name, run } of await interleavingsOf(arrange, start)) {
      test(`erased ${name} -> leaves no rows of the device`, async () => {
        const world = await arrange();
        const sessionId = sessionOf(world);
        const process = world.start(run(() => eraseDevice(world.start().deps, device)));
        await process.attempt(() => operate(process, world, sessionId));
        for (const [table, rows] of Object.entries(world.everything())) assert.deepEqual(rows, [], table);
        assert.equal(world.service.live.size, 0);
      });
    }
  });
}
