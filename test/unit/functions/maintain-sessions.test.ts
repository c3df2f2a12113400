import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { maintainSessions } from "../../../src/functions/maintain-sessions.ts";
import { createApp, timer } from "../fakes/app.ts";
import { failOn, type Hook } from "../fakes/calls.ts";
import { createInvocation } from "../fakes/invocation.ts";
import { seedSession, seedWorld } from "../fakes/seed.ts";

/** Runs the timer with two sessions due. */
async function run(hook?: Hook) {
  const { world } = await seedWorld({ deviceCorrelationId: "one" });
  await seedSession(world, { deviceCorrelationId: "two" });
  world.advance({ minutes: 12 });
  const { context, lines } = createInvocation("maintainSessions");
  const app = createApp(world.start(hook), { MAINTENANCE_FACE_CALLS_PER_SECOND: "1000" });
  const [outcome] = await Promise.allSettled([maintainSessions({ app })(timer, context)]);
  return { world, outcome, lines };
}

describe("the timer", () => {
  test("logs one line with its counts", async () => {
    const { outcome, lines } = await run();
    assert.equal(outcome.status, "fulfilled");
    const { seconds, ...counts } = lines.at(-1)?.fields ?? {};
    assert.equal(lines.length, 1);
    assert.equal(typeof seconds, "number");
    assert.partialDeepStrictEqual(counts, { event: "MaintenanceDone", collected: 2, failed: 0 });
  });

  test("logs each failure with its session, and throws for the platform", async () => {
    const { world, outcome, lines } = await run(failOn("face.get"));
    const message = "Maintenance of 2 sessions failed; see MaintenanceFailed.";
    assert.deepEqual(outcome, { status: "rejected", reason: new Error(message) });
    const failures = lines.filter(({ level }) => level === "error").map(({ fields }) => fields);
    const failure = { event: "MaintenanceFailed", phase: "collect", error: "InjectedError", message: "injected" };
    for (const fields of failures) assert.partialDeepStrictEqual(fields, failure);
    const ids = world.tables.expiry.all().map(({ value }) => value.creationId);
    assert.deepEqual(failures.map(({ creationId }) => creationId).sort(), ids.sort());
    assert.equal(lines.at(-1)?.fields.event, "MaintenanceDone");
  });

  test("throws with the names of wrong settings", async () => {
    const { context } = createInvocation("maintainSessions");
    const faults = [{ setting: "FACE_ENDPOINT", message: "is required" }];
    await assert.rejects(Promise.resolve(maintainSessions({ faults })(timer, context)), /FACE_ENDPOINT/);
  });
});
