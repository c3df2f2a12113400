import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../../src/liveness/open/open-session.ts";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { eraseDevice } from "../../../../src/liveness/retain/erase-device.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { drainOnce } from "../../fakes/maintenance.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, command, type Process, sessionAt, trusted, type World } from "../../fakes/world.ts";

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

test("eraseDevice ends although a user opens sessions for the device continuously", async () => {
  const world = await arrange();
  const stranger = { trusted: false, owner: "mallory" } as const;
  const opened: string[] = [];
  const { deps } = world.start(async ({ name, when }) => {
    // One session at a time: the next one as soon as the last one is erased.
    const isErased = opened.length === 0 || !world.service.live.has(opened.at(-1) ?? "");
    if (name !== "sessions.query" || when !== "before" || !isErased) return undefined;
    world.advance({ minutes: 2 });
    const { record } = await openSession(world.start().deps, command({ caller: stranger }));
    opened.push(record.sessionId);
    return undefined;
  });
  const before = sessionAt(world);
  await eraseDevice(deps, "a-device");
  assert.ok(opened.length >= 10, `${opened.length} sessions`);
  assert.equal(await world.start().deps.sessions.find(before), undefined);
  assert.equal(world.service.live.has(before), false);
});
