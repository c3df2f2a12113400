import assert from "node:assert/strict";
import { describe } from "node:test";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { runTimer } from "../../fakes/app.ts";
import { type Outcome, resultOf } from "../../fakes/calls.ts";
import { realFace } from "../../fakes/face-service.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, type Process, sessionAt, trusted, type World } from "../../fakes/world.ts";

/** A session with a result whose client has not reported its device. */
const arrange = async () => (await seedWorld({ setInClient: true }, realFace())).world;

const settleAs =
  (deviceCorrelationId: string) =>
  ({ deps }: Process, world: World) =>
    settleSession(deps, trusted, sessionAt(world), { deviceCorrelationId });
const watch = ({ deps }: Process, world: World) => getSession(deps, trusted, "liveness", sessionAt(world));

/** Asserts that all rows of the session are in the partition of the device, and that the timer removes them. */
async function assertWhole(world: World, device: string): Promise<void> {
  const { deviceCorrelationId, decision, movedFrom } = world.tables.records.all()[0]?.value ?? assert.fail();
  assert.deepEqual([deviceCorrelationId, decision, movedFrom], [device, "accepted", undefined]);
  const partitions = new Set(world.storage.sessions.all().map(({ partitionKey }) => partitionKey));
  assert.deepEqual([...partitions], [device]);
  assert.equal(world.tables.entries.all().length, 1);
  world.advance({ days: 400 });
  for (let run = 0; run < 2; run += 1) await runTimer(world.start());
  assertNothingStored(world);
}

describe("two processes that bind a session to different devices", async () => {
  const others = new WeakMap<World, Promise<Outcome<unknown>>>();
  const bindOther = (world: World) => {
    const process = world.start();
    const outcome = process.attempt(() => settleAs("yours")(process, world));
    others.set(world, outcome);
    return outcome;
  };
  const title = "the other {} -> one binds it, the other is refused";
  await testInterleavings(title, arrange, settleAs("mine"), bindOther, async (world, mine) => {
    const yours = (await others.get(world)) ?? assert.fail();
    const [refused, device] = "value" in mine ? [yours, "mine"] : [mine, "yours"];
    assert.ok("value" in mine || "value" in yours);
    assert.throws(() => resultOf(refused), /belongs to another device/);
    await assertWhole(world, device);
  });
});

describe("session bound to its device during another request", async () => {
  const bind = (world: World) => settleAs("mine")(world.start(), world);
  for (const [what, operate] of [
    ["getSession", watch],
    ["settleSession with the same device", settleAs("mine")],
  ] as const) {
    const title = `${what}, bound {} -> recorded once, in the partition of the device`;
    await testInterleavings<unknown>(title, arrange, operate, bind, async (world, outcome) => {
      resultOf(outcome);
      await assertWhole(world, "mine");
    });
  }
});
