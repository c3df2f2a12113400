import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { runTimer } from "../../fakes/app.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { interleave } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

/** A session whose device names itself to the app alone, and that was used. */
async function arrange(): Promise<World> {
  const world = createWorld();
  const { record } = await seedSession(world, { setInClient: true });
  play(world.service, record.sessionId, realFace());
  return world;
}

const sessionOf = (world: World) => [...world.service.live.keys()][0] ?? assert.fail();
const settleAs = (deviceCorrelationId: string) => (deps: Process["deps"], world: World) =>
  settleSession(deps, trusted, sessionOf(world), { deviceCorrelationId });
const watch = (deps: Process["deps"], world: World) => getSession(deps, trusted, "liveness", sessionOf(world));

async function turnsOf(operate: (deps: Process["deps"], world: World) => Promise<unknown>): Promise<number> {
  const world = await arrange();
  const { calls, deps } = world.start();
  await operate(deps, world);
  return calls.names.length;
}

/** The session stands at one device, whole, and can be outlived. */
async function assertWhole(world: World, device: string): Promise<void> {
  const { deviceCorrelationId, decision, movedFrom } = world.tables.records.all()[0]?.value ?? assert.fail();
  assert.deepEqual([deviceCorrelationId, decision, movedFrom], [device, "accepted", undefined]);
  const partitions = new Set(world.storage.sessions.all().map(({ partitionKey }) => partitionKey));
  assert.deepEqual([...partitions], [device]);
  assert.equal(world.tables.entries.all().length, 1);
  world.advance({ days: 400 });
  for (let run = 0; run < 2; run += 1) await runTimer(world.start());
  assert.deepEqual(world.everything(), createWorld().everything());
}

describe("two apps that name different devices for one session", async () => {
  for (let turn = 1; turn <= (await turnsOf(settleAs("mine"))); turn += 1) {
    test(`get one device and one refusal: the other before call ${turn}`, async () => {
      const world = await arrange();
      const other = Promise.withResolvers<string>();
      const rival = async () => {
        const outcome = await world.start().attempt((deps) => settleAs("yours")(deps, world));
        other.resolve("value" in outcome ? "accepted" : String("error" in outcome && (outcome.error as Error).message));
      };
      const process = world.start(interleave(turn, rival));
      const mine = await process.attempt((deps) => settleAs("mine")(deps, world));
      const refused = /another device's/;
      if ("value" in mine) assert.match(await other.promise, refused);
      else assert.ok("error" in mine && refused.test(String(mine.error)) && (await other.promise) === "accepted");
      await assertWhole(world, "value" in mine ? "mine" : "yours");
    });
  }
});

describe("a session that is bound to its device while another request reads or binds it", async () => {
  for (const [what, operate] of [
    ["is watched", watch],
    ["is bound to the same device", settleAs("mine")],
  ] as const) {
    for (let turn = 1; turn <= (await turnsOf(operate)); turn += 1) {
      test(`is recorded once, at its device: bound before call ${turn} while it ${what}`, async () => {
        const world = await arrange();
        const bind = () => settleAs("mine")(world.start().deps, world);
        await operate(world.start(interleave(turn, bind)).deps, world);
        await assertWhole(world, "mine");
      });
    }
  }
});
