import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { runTimer } from "../../fakes/app.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { interleavingsOf } from "../../fakes/moments.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

/** A session with a result whose client has not reported its device. */
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

/** Asserts that all rows of the session are in the partition of the device, and that the timer removes them. */
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

describe("two processes that bind a session to different devices", async () => {
  const bind = ({ deps }: Process, world: World) => settleAs("mine")(deps, world);
  for (const { name, run } of await interleavingsOf(arrange, bind)) {
    test(`the other ${name} -> one binds it, the other is refused`, async () => {
      const world = await arrange();
      const other = Promise.withResolvers<string>();
      const rival = async () => {
        const outcome = await world.start().attempt((deps) => settleAs("yours")(deps, world));
        other.resolve("value" in outcome ? "accepted" : String("error" in outcome && (outcome.error as Error).message));
      };
      const process = world.start(run(rival));
      const mine = await process.attempt((deps) => settleAs("mine")(deps, world));
      const refused = /another device's/;
      if ("value" in mine) assert.match(await other.promise, refused);
      else assert.ok("error" in mine && refused.test(String(mine.error)) && (await other.promise) === "accepted");
      await assertWhole(world, "value" in mine ? "mine" : "yours");
    });
  }
});

describe("session bound to its device during another request", async () => {
  for (const [what, operate] of [
    ["getSession", watch],
    ["settleSession with the same device", settleAs("mine")],
  ] as const) {
    const start = ({ deps }: Process, world: World) => operate(deps, world);
    for (const { name, run } of await interleavingsOf(arrange, start)) {
      test(`${what}, bound ${name} -> recorded once, in the partition of the device`, async () => {
        const world = await arrange();
        const bind = () => settleAs("mine")(world.start().deps, world);
        await operate(world.start(run(bind)).deps, world);
        await assertWhole(world, "mine");
      });
    }
  }
});
