import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { readStoredEntries } from "../../../../src/liveness/result/history.ts";
import { type ClientReport, settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { realFace } from "../../fakes/face-service.ts";
import { testInterleavings } from "../../fakes/moments.ts";
import { type Seed, seedWorld } from "../../fakes/seed.ts";
import { type Process, sessionAt, trusted, type World } from "../../fakes/world.ts";

const alice: Caller = { trusted: false, owner: "alice" };
const digest = "service-digest";

/** Settles with a wrong digest, then reads the session as the user. Returns whether it was accepted, and whether the digest is visible. */
async function guess(
  { deps }: Process,
  sessionId: string,
  body: ClientReport,
): Promise<{ accepted: boolean; visible: boolean }> {
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
    const guessed = new WeakMap<World, Awaited<ReturnType<typeof guess>>>();
    const guessElsewhere = async (world: World) =>
      guessed.set(world, await guess(world.start(), sessionAt(world), wrong));
    const title = "wrong one {} -> rejected if it was accepted or saw the digest";
    await testInterleavings(title, arrange, settle, guessElsewhere, async (world) => {
      const { accepted, visible } = guessed.get(world) ?? assert.fail();
      const { decision, reasons } = await settleSession(world.start().deps, trusted, sessionAt(world), {});
      const expected = accepted || visible ? ["rejected", ["ClientDigestMismatch"]] : ["accepted", ["RealFace"]];
      assert.deepEqual([decision, reasons], expected);
    });
  });
}
