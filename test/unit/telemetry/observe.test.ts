import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { drain } from "../../../src/liveness/retain/maintain.ts";
import { measureMaintenance, observeServices } from "../../../src/telemetry/observe.ts";
import { type Facts, metrics, type Telemetry } from "../../../src/telemetry/telemetry.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { command, createWorld, trusted } from "../fakes/world.ts";

/** A process with observed services, and the telemetry that they report. */
function arrange() {
  const world = createWorld();
  const reported: { calls: string[]; measured: [string, number, Facts][]; notes: Facts[] } = {
    ...{ calls: [], measured: [], notes: [] },
  };
  const telemetry: Telemetry = {
    invocation: (_invocation, run) => run(),
    call({ name }, run) {
      const result = run();
      if (result instanceof Promise) reported.calls.push(name);
      return result;
    },
    note: (facts) => void reported.notes.push(facts),
    noteSession: (sessionId) => void reported.notes.push({ sessionId }),
    observeRequest: () => () => undefined,
    measure: (metric, value, facts = {}) => void reported.measured.push([metric, value, facts]),
    shutdown: async () => undefined,
  };
  const { deps, maintenance } = world.start();
  const observed = observeServices(deps, telemetry);
  return { world, deps: observed, maintenance: () => ({ ...maintenance(), ...observed }), telemetry, reported };
}

describe("observed services", () => {
  test("behave unchanged, and report each call by name", async () => {
    const { world, deps, reported } = arrange();
    const { record } = await openSession(deps, command());
    assert.deepEqual(world.record(), record);
    assert.deepEqual(reported.calls.sort(), ["creations.commit", "creations.reserve", "face.create", "schedule.put"]);
    assert.deepEqual(reported.measured, [
      ["liveness.creations", 1, { kind: "liveness", apiVersion: "v1.2", upstreamVersion: "v1.2" }],
    ]);
    assert.deepEqual(reported.notes, [{ sessionId: record.sessionId }]);
  });

  test("report calls for users, and calls within a service", async () => {
    const { deps, telemetry, reported } = arrange();
    await openSession(deps, command({ request: { userCorrelationId: "a-user" } }));
    assert.ok(reported.calls.includes("users.put"));
    const settings = {
      read: async () => ({ value: { livenessAbuseMonitoring: { enabled: true } } }),
      change: async () => assert.fail(),
      clientAssetsToken: async () => assert.fail(),
    };
    const { face } = observeServices({ ...deps, face: { ...deps.face, settings } }, telemetry);
    assert.deepEqual(await face.settings?.read(), await settings.read());
    assert.equal(reported.calls.filter((name) => name === "settings.read").length, 1);
    assert.deepEqual([face.version, deps.face.settings], ["v1.2", undefined]);
  });

  test("count a decision when it is recorded, and again only when it changes", async () => {
    const { world, deps, reported } = arrange();
    const { record } = await openSession(deps, command());
    reported.measured.length = 0;
    const settle = () => settleSession(deps, trusted, record.sessionId, {});
    play(world.service, record.sessionId, failedAttempt());
    await settle();
    await settle();
    play(world.service, record.sessionId, realFace());
    await settle();
    await settle();
    const kind = "liveness";
    const decided = reported.measured.filter(([metric]) => metric !== "liveness.reasons");
    assert.deepEqual(decided, [
      ["liveness.attempts", 1, { kind }],
      ["liveness.decisions", 1, { kind, decision: "inconclusive" }],
      ["liveness.attempts", 1, { kind }],
      ["liveness.decisions", 1, { kind, decision: "accepted" }],
    ]);
    const reasons = reported.measured.filter(([metric]) => metric === "liveness.reasons").map(([, , facts]) => facts);
    assert.ok(reasons.some(({ decision, reason }) => decision === "accepted" && reason === "RealFace"));
  });

  test("work for the timer, including generators, and count its results", async () => {
    const { world, deps, maintenance, telemetry, reported } = arrange();
    const { record } = await openSession(deps, command());
    play(world.service, record.sessionId, realFace({ livenessDecision: "spoofface" }));
    world.advance({ hours: 1 });
    const { oldestDueOn: _, ...summary } = await drain(maintenance(), world.now() + 60_000);
    assert.equal(summary.collected, 1);
    assert.ok(reported.calls.filter((name) => name === "schedule.dueEntries").length > 16, "each step of each shard");
    const decisions = reported.measured.filter(([metric]) => metric === "liveness.decisions");
    assert.ok(decisions.some(([, , { decision }]) => decision === "rejected"));
    reported.measured.length = 0;
    const events = { eventsListed: 4, eventsDelivered: 0, eventsRetried: 2, eventsGivenUp: 0 };
    measureMaintenance(telemetry, { ...summary, ...events, oldestDueSeconds: 12, seconds: 3 });
    assert.deepEqual(reported.measured, [
      ["maintenance.sessions", 1, { result: "collected" }],
      ["maintenance.events", 4, { result: "listed" }],
      ["maintenance.events", 2, { result: "retried" }],
      ["maintenance.duration", 3, {}],
      ["maintenance.oldest_due_age", 12, {}],
    ]);
    assert.ok(reported.measured.every(([metric]) => metric in metrics));
  });
});
