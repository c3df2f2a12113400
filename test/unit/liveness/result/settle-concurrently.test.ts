import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { deleteSession, getSession } from "../../../../src/liveness/result/get-session.ts";
import { readStoredEntries } from "../../../../src/liveness/result/history.ts";
import { type ClientReport, settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { runTimerAfter } from "../../fakes/app.ts";
import { resultOf } from "../../fakes/calls.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { type Seed, seedWorld } from "../../fakes/seed.ts";
import { assertNothingStored, type Process, sessionAt, trusted, type World } from "../../fakes/world.ts";

const alice: Caller = { trusted: false, owner: "alice" };
const digest = "service-digest";

const get = ({ deps }: Process, world: World) => getSession(deps, trusted, "liveness", world.record().sessionId);

/** A session with a result whose client has not reported its device. */
const unbound = async () => (await seedWorld({ setInClient: true }, realFace())).world;

const settleAs =
  (deviceCorrelationId: string) =>
  ({ deps }: Process, world: World) =>
    settleSession(deps, trusted, sessionAt(world), { deviceCorrelationId });

/** Asserts that all rows of the session are in the partition of the device, and that the timer removes them. */
async function assertWhole(world: World, device: string): Promise<void> {
  const { deviceCorrelationId, decision, movedFrom } = world.tables.records.all()[0]?.value ?? assert.fail();
  assert.deepEqual([deviceCorrelationId, decision, movedFrom], [device, "accepted", undefined]);
  const partitions = new Set(world.storage.sessions.all().map(({ partitionKey }) => partitionKey));
  assert.deepEqual([...partitions], [device]);
  assert.equal(world.tables.entries.all().length, 1);
  await runTimerAfter(world, { days: 400 }, {});
  assertNothingStored(world);
}

describe("two processes that bind a session to different devices", async () => {
  const bindOther = (world: World) => {
    const process = world.start();
    return process.attempt(() => settleAs("yours")(process, world));
  };
  const title = "the other {} -> one binds it, the other is refused";
  await testInterleavings(title, unbound, settleAs("mine"), bindOther, async (world, mine, yours) => {
    const [refused, device] = "value" in mine ? [yours, "mine"] : [mine, "yours"];
    assert.ok("value" in mine || "value" in yours);
    assert.throws(() => resultOf(refused), /belongs to another device/);
    await assertWhole(world, device);
  });
});

describe("session bound to its device during another request", async () => {
  const bind = (world: World) => settleAs("mine")(world.start(), world);
  for (const [what, operate] of [
    ["getSession", get],
    ["settleSession with the same device", settleAs("mine")],
  ] as const) {
    const title = `${what}, bound {} -> recorded once, in the partition of the device`;
    await testInterleavings<unknown, unknown>(title, unbound, operate, bind, async (world, outcome) => {
      resultOf(outcome);
      await assertWhole(world, "mine");
    });
  }
});

/** Settles with a wrong digest, then reads the session as the user. Returns whether it was accepted, and whether the digest is visible. */
async function guess({ deps }: Process, sessionId: string, body: ClientReport) {
  const accepted = await settleSession(deps, alice, sessionId, { digest: "wrong", ...body }).then(
    () => true,
    () => false,
  );
  const read = await Promise.all([
    readStoredEntries(deps, alice, sessionId),
    getSession(deps, alice, "liveness", sessionId).then(({ state }) => state),
  ]);
  return { accepted, visible: JSON.stringify(read).includes(digest) };
}

const cases: [string, Seed, ClientReport, ClientReport][] = [
  ["", {}, {}, {}],
  [", device reported with the right one", { setInClient: true }, { deviceCorrelationId: "d" }, {}],
  [", device reported with the wrong one", { setInClient: true }, {}, { deviceCorrelationId: "d" }],
  [", device reported with both", { setInClient: true }, { deviceCorrelationId: "d" }, { deviceCorrelationId: "d" }],
  [", different devices reported", { setInClient: true }, { deviceCorrelationId: "d" }, { deviceCorrelationId: "e" }],
];

for (const [variant, seed, right, wrong] of cases) {
  describe(`right and wrong digest settled concurrently${variant}`, async () => {
    const arrange = async () => (await seedWorld({ owner: "alice", ...seed }, realFace())).world;
    const settle = ({ deps }: Process, world: World) =>
      settleSession(deps, alice, sessionAt(world), { digest, ...right });
    const guessElsewhere = (world: World) => guess(world.start(), sessionAt(world), wrong);
    const title = "wrong one {} -> rejected if it was accepted or saw the digest";
    await testInterleavings(title, arrange, settle, guessElsewhere, async (world, _, { accepted, visible }) => {
      const { decision, reasons } = await settleSession(world.start().deps, trusted, sessionAt(world), {});
      const expected = accepted || visible ? ["rejected", ["ClientDigestMismatch"]] : ["accepted", ["RealFace"]];
      assert.deepEqual([decision, reasons], expected);
    });
  });
}

/** A session whose device has used its only attempt, and one more that the upstream version allows. */
const usedUp = async () => (await seedWorld({ attemptsAllowed: 1 }, realFace(), failedAttempt())).world;

const settle = ({ deps }: Process, world: World) => settleSession(deps, trusted, world.record().sessionId, {});
const remove = ({ deps }: Process, world: World) => deleteSession(deps, trusted, "liveness", world.record().sessionId);

function assertRecorded(world: World, status: string): void {
  assert.partialDeepStrictEqual(world.record(), { status, decision: "accepted", attempts: 2, final: true });
  assert.equal(world.tables.entries.all().length, 2);
  assert.equal(world.service.live.size, 0);
}

describe("two processes that read a session whose attempts are used up: one revokes it while the other reads", async () => {
  const getElsewhere = (world: World) => get(world.start(), world);
  for (const [name, operate] of Object.entries({ getSession: get, settleSession: settle })) {
    const title = `${name}, another one {} -> both succeed, one outcome`;
    await testInterleavings<unknown, unknown>(title, usedUp, operate, getElsewhere, async (world, outcome) => {
      resultOf(outcome);
      assertRecorded(world, "Succeeded");
      const { state } = await getElsewhere(world);
      assert.deepEqual([state.status, state.attempts.length], ["Succeeded", 1]);
    });
  }

  const title = "settleSession, a deletion {} -> the outcome is kept, status Canceled";
  const removeElsewhere = (world: World) => remove(world.start(), world);
  await testInterleavings(title, usedUp, settle, removeElsewhere, (world, outcome) => {
    resultOf(outcome);
    assertRecorded(world, "Canceled");
  });
});
