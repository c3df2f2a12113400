import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt } from "../../../../src/face/model.ts";
import { recordResult } from "../../../../src/liveness/result/record-result.ts";
import { failedAttempt, realFace } from "../../fakes/face-service.ts";
import { seedSession } from "../../fakes/seed.ts";
import { createWorld } from "../../fakes/world.ts";

const running = (attemptId: number): Attempt => ({ attemptId, attemptStatus: "Running" });
const failed = (attemptId: number): Attempt => ({
  attemptId,
  attemptStatus: "Failed",
  ...failedAttempt(`Error${attemptId}`),
});
const real = (attemptId: number): Attempt => ({ attemptId, attemptStatus: "Succeeded", ...realFace() });
const entry = (attempt: Attempt, id: string): Attempt => ({ ...attempt, audit: { id } });

/** Records these responses of the service one after the other, a minute apart. */
async function recorded(...responses: Attempt[][]) {
  const world = createWorld();
  const { record } = await seedSession(world);
  for (const attempts of responses) {
    Object.assign(world.service.live.get(record.sessionId)?.state ?? {}, { attempts, status: "Running" });
    const { deps } = world.start();
    const stored = await deps.sessions.find(record.sessionId);
    assert.ok(stored);
    await recordResult(deps, stored);
    world.advance({ minutes: 1 });
  }
  const entries = world.tables.entries.all().map(({ value }) => [value.entryId, value.receivedOn?.slice(14, 16)]);
  const { attempts, decision } = world.record();
  return { entries, attempts, decision };
}

describe("recordResult with attempts out of order", () => {
  test("attempt ends after a later one -> all recorded", async () => {
    assert.deepEqual(await recorded([running(1), failed(2)], [failed(1), failed(2)], [failed(1), failed(2), real(3)]), {
      entries: [
        ["1", "01"],
        ["2", "00"],
        ["3", "02"],
      ],
      ...{ attempts: 3, decision: "accepted" },
    });
  });

  test("audit entry follows one with a higher id -> both recorded", async () => {
    const [first, second] = [entry(failed(1), "70"), entry(failed(2), "71")];
    assert.deepEqual((await recorded([second], [first, second])).entries, [
      ["70", "01"],
      ["71", "00"],
    ]);
  });

  test("service no longer returns earlier attempts -> all recorded", async () => {
    assert.deepEqual(await recorded([failed(1), failed(2)], [real(3)]), {
      entries: [
        ["1", "00"],
        ["2", "00"],
        ["3", "01"],
      ],
      ...{ attempts: 3, decision: "accepted" },
    });
  });

  test("service returns an attempt twice -> recorded once", async () => {
    const { entries, attempts } = await recorded([failed(1), failed(1)], [failed(1), failed(1), failed(2)]);
    assert.deepEqual(entries, [
      ["1", "00"],
      ["2", "01"],
    ]);
    assert.equal(attempts, 2);
  });
});
