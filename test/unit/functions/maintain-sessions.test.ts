import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Timer } from "@azure/functions";
import { maintainSessions } from "../../../src/functions/maintain-sessions.ts";
import { createApp } from "../fakes/app.ts";
import { failOn, type Hook } from "../fakes/calls.ts";
import { createInvocation } from "../fakes/invocation.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld, type World } from "../fakes/world.ts";

const timer: Timer = {
  isPastDue: false,
  schedule: { adjustForDST: false },
  scheduleStatus: { last: "", next: "", lastUpdated: "" },
};

const settings = { MAINTENANCE_FACE_CALLS_PER_SECOND: "1000" };

async function run(world: World, hook?: Hook) {
  const { context, lines } = createInvocation("maintainSessions");
  const app = createApp(world.start(hook), settings);
  const outcome = await Promise.resolve(maintainSessions({ app })(timer, context)).then(
    () => "done",
    (error: unknown) => String(error),
  );
  return { outcome, lines };
}

async function due(): Promise<World> {
  const world = createWorld();
  await seedSession(world, { deviceCorrelationId: "one" });
  await seedSession(world, { deviceCorrelationId: "two" });
  world.advance({ minutes: 12 });
  return world;
}

describe("the timer", () => {
  test("logs one line with its counts", async () => {
    const { outcome, lines } = await run(await due());
    assert.equal(outcome, "done");
    const { seconds, ...counts } = lines.at(-1)?.fields ?? {};
    assert.equal(lines.length, 1);
    assert.equal(typeof seconds, "number");
    assert.partialDeepStrictEqual(counts, { event: "MaintenanceDone", collected: 2, failed: 0 });
  });

  test("logs each failure with its session, and throws for the platform", async () => {
    const world = await due();
    const { outcome, lines } = await run(world, failOn("face.get"));
    assert.equal(outcome, "Error: Maintenance of 2 sessions failed; see MaintenanceFailed.");
    const failures = lines.filter(({ level }) => level === "error").map(({ fields }) => fields);
    assert.deepEqual(
      failures.map(({ event, phase, error, message }) => [event, phase, error, message]),
      [
        ["MaintenanceFailed", "collect", "InjectedError", "injected"],
        ["MaintenanceFailed", "collect", "InjectedError", "injected"],
      ],
    );
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
