import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Caller } from "../../../../src/liveness/model/caller.ts";
import { getSession } from "../../../../src/liveness/result/get-session.ts";
import { readStoredEntries } from "../../../../src/liveness/result/history.ts";
import { type ClientReport, settleSession } from "../../../../src/liveness/result/settle-session.ts";
import { play, realFace } from "../../fakes/face-service.ts";
import { interleave } from "../../fakes/moments.ts";
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

/** Sends a wrong digest and reads all that the user may read. Whether the guess was taken, and the digest seen. */
async function guess(
  { deps }: Process,
  sessionId: string,
  body: ClientReport,
): Promise<{ taken: boolean; seen: boolean }> {
  const taken = await settleSession(deps, alice, sessionId, { digest: "wrong", ...body }).then(
    () => true,
    () => false,
  );
  const read = await Promise.all([
    readStoredEntries(deps, alice, sessionId),
    getSession(deps, alice, "liveness", sessionId).then(({ state }) => state),
  ]);
  return { taken, seen: JSON.stringify(read).includes(digest) };
}

const cases: [string, Seed, ClientReport, ClientReport][] = [
  ["", {}, {}, {}],
  [" of which the device is named with the right one", { setInClient: true }, { deviceCorrelationId: "d" }, {}],
  [" of which the device is named with the wrong one", { setInClient: true }, {}, { deviceCorrelationId: "d" }],
  [
    " of which the device is named with both",
    { setInClient: true },
    { deviceCorrelationId: "d" },
    { deviceCorrelationId: "d" },
  ],
  [
    " that is claimed for two devices",
    { setInClient: true },
    { deviceCorrelationId: "d" },
    { deviceCorrelationId: "e" },
  ],
];

for (const [what, seed, right, wrong] of cases) {
  describe(`a right digest and a wrong one at the same time, for a session${what}`, async () => {
    const settle = ({ deps }: Process, sessionId: string) =>
      settleSession(deps, alice, sessionId, { digest, ...right });
    const counted = await arrange(seed);
    const process = counted.world.start();
    await settle(process, counted.sessionId);
    for (const [index, name] of process.calls.names.entries()) {
      test(`reject it, or nothing was learned: before call ${index + 1}, ${name}`, async () => {
        const { world, sessionId } = await arrange(seed);
        let guessed = { taken: false, seen: false };
        const hook = interleave(index + 1, async () => {
          guessed = await guess(world.start(), sessionId, wrong);
        });
        await world.start(hook).attempt((deps) => settleSession(deps, alice, sessionId, { digest, ...right }));
        const { decision, reasons } = await settleSession(world.start().deps, trusted, sessionId, {});
        const rejected = ["rejected", ["ClientDigestMismatch"]];
        if (guessed.taken || guessed.seen) assert.deepEqual([decision, reasons], rejected);
        else assert.deepEqual([decision, reasons], ["accepted", ["RealFace"]]);
      });
    }
  });
}
