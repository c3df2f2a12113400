import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSession } from "../../../src/liveness/open/open-session.ts";
import { settleSession } from "../../../src/liveness/result/settle-session.ts";
import { drain } from "../../../src/liveness/retain/maintain.ts";
import { measureMaintenance, observeServices } from "../../../src/telemetry/observe.ts";
import { type Facts, metrics, type Telemetry } from "../../../src/telemetry/telemetry.ts";
import { failedAttempt, play, realFace } from "../fakes/face-service.ts";
import { command, createWorld, trusted } from "../fakes/world.ts";

/** A process whose services are observed, and what is told of them. */
function arrange() {
  const world = createWorld();
  const told: { calls: string[]; measured: [string, number, Facts][]; notes: Facts[] } = {
    ...{ calls: [], measured: [], notes: [] },
  };
  const telemetry: Telemetry = {
    invocation: (_invocation, run) => run(),
    call({ name }, run) {
      const result = run();
      if (result instanceof Promise) told.calls.push(name);
      return result;
    },
    note: (facts) => void told.notes.push(facts),
    noteSession: (sessionId) => void told.notes.push({ sessionId }),
    observeRequest: () => () => undefined,
    measure: (metric, value, facts = {}) => void told.measured.push([metric, value, facts]),
    shutdown: async () => undefined,
  };
  const { deps, maintenance } = world.start();
  const observed = observeServices(deps, telemetry);
  return { world, deps: observed, maintenance: () => ({ ...maintenance(), ...observed }), telemetry, told };
}

describe("observed services", () => {
  test("do what they do, and tell of each call under its own name", async () => {
    const { world, deps, told } = arrange();
    const { record } = await openSession(deps, command());
    assert.deepEqual(world.record(), record);
    assert.deepEqual(told.calls.sort(), ["creations.commit", "creations.reserve", "face.create", "schedule.put"]);
    assert.deepEqual(told.measured, [
      ["liveness.creations", 1, { kind: "liveness", apiVersion: "v1.2", upstreamVersion: "v1.2" }],
    ]);
    assert.deepEqual(told.notes, [{ sessionId: record.sessionId }]);
  });

  test("count a decision when it is recorded, and again only when it has changed", async () => {
    const { world, deps, told } = arrange();
    const { record } = await openSession(deps, command());
    told.measured.length = 0;
    const settle = () => settleSession(deps, trusted, record.sessionId, {});
    play(world.service, record.sessionId, failedAttempt());
    await settle();
    await settle();
    play(world.service, record.sessionId, realFace());
    await settle();
    await settle();
    const kind = "liveness";
    const decided = told.measured.filter(([metric]) => metric !== "liveness.reasons");
    assert.deepEqual(decided, [
      ["liveness.attempts", 1, { kind }],
      ["liveness.decisions", 1, { kind, decision: "inconclusive" }],
      ["liveness.attempts", 1, { kind }],
      ["liveness.decisions", 1, { kind, decision: "accepted" }],
    ]);
    const reasons = told.measured.filter(([metric]) => metric === "liveness.reasons").map(([, , facts]) => facts);
    assert.ok(reasons.some(({ decision, reason }) => decision === "accepted" && reason === "RealFace"));
  });

  test("serve the timer, generators and all, and count what it finds", async () => {
    const { world, deps, maintenance, telemetry, told } = arrange();
    const { record } = await openSession(deps, command());
    play(world.service, record.sessionId, realFace({ livenessDecision: "spoofface" }));
    world.advance({ hours: 1 });
    const { oldestDueOn: _, ...summary } = await drain(maintenance(), world.now() + 60_000);
    assert.equal(summary.collected, 1);
    assert.ok(told.calls.filter((name) => name === "schedule.dueRows").length > 16, "each step of each shard");
    assert.ok(
      told.measured.some(([metric, , { decision }]) => metric === "liveness.decisions" && decision === "rejected"),
    );
    told.measured.length = 0;
    measureMaintenance(telemetry, { ...summary, oldestDueSeconds: 12, seconds: 3 });
    assert.deepEqual(told.measured, [
      ["maintenance.sessions", 1, { result: "collected" }],
      ["maintenance.duration", 3, {}],
      ["maintenance.oldest_due_age", 12, {}],
    ]);
    assert.ok(told.measured.every(([metric]) => metric in metrics));
  });
});
