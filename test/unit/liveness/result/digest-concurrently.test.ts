import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { readStoredEntries } from "../../../../src/liveness/result/history.ts";
import { type ClientReport, settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { interleavingsOf } from "../../fakes/moments.ts";
import { type Seed, seedSession } from "../../fakes/seed.ts";
import { createWorld, type Process, trusted, type World } from "../../fakes/world.ts";

const alice: Caller = { trusted: false, owner: "alice" };
const digest = "service-digest";

async function arrange(seed: Seed): Promise<{ world: World; sessionId: string }> {
  const world = createWorld();
  const { record } = await seedSession(world, { owner: "alice", ...seed });
  play(world.service, record.sessionId, realFace());
  return { world, sessionId: record.sessionId };
}

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
    const settle = ({ deps }: Process, world: World) =>
      settleSession(deps, alice, [...world.service.live.keys()][0] ?? "", { digest, ...right });
    for (const { name, run } of await interleavingsOf(async () => (await arrange(seed)).world, settle)) {
      test(`wrong one ${name} -> rejected if it was accepted or saw the digest`, async () => {
        const { world, sessionId } = await arrange(seed);
        let guessed = { accepted: false, visible: false };
        const hook = run(async () => {
          guessed = await guess(world.start(), sessionId, wrong);
        });
        const process = world.start(hook);
        await process.attempt(() => settle(process, world));
        const { decision, reasons } = await settleSession(world.start().deps, trusted, sessionId, {});
        const rejected = ["rejected", ["ClientDigestMismatch"]];
        if (guessed.accepted || guessed.visible) assert.deepEqual([decision, reasons], rejected);
        else assert.deepEqual([decision, reasons], ["accepted", ["RealFace"]]);
      });
    }
  });
}
