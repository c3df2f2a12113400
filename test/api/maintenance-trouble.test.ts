import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startAzurite } from "../local/azurite.ts";
import { type Stack, type StackOptions, startStack } from "../local/stack.ts";
import { control, emulatorState } from "./support/app-client.ts";
import { assertAllIsDone, assertNothingIsLost, seedBacklog } from "./support/backlog.ts";
import { until } from "./support/until.ts";

const hour = { advanceSeconds: 3600 };

/** A stack that prunes sessions an hour after their creation, before the service deletes them; these sessions are due. */
async function startWithBacklog(t: TestContext, count: number, options: StackOptions = {}) {
  const env = { SESSION_RETENTION_HOURS: "1", MAINTENANCE_FACE_CALLS_PER_SECOND: "1000" };
  const stack = await startStack({ ...options, env: { ...env, ...options.env } });
  t.after(() => stack.stop());
  const seeded = await seedBacklog(stack, count);
  await control(stack.emulator, "/clock", hour);
  return { stack, seeded };
}

async function runTimer({ runFunction, output }: Stack["app"]) {
  const before = output().length;
  const outcome = await runFunction("maintainSessions");
  const lines = output().slice(before).split("\n");
  const events = lines.flatMap((line) => /\{"event".*\}/.exec(line)?.[0] ?? []).map((text) => JSON.parse(text));
  return { ...outcome, done: events.find(({ event }) => event === "MaintenanceDone"), events };
}

test("two concurrent runs have the result of one", async (t) => {
  const { stack, seeded } = await startWithBacklog(t, 300);
  const other = await stack.startAnotherApp();
  const runs = await Promise.all([stack.app, other].map(runTimer));
  for (const { status, error } of runs) assert.equal(status, "Succeeded", error);
  await assertAllIsDone(stack, seeded);
  assert.equal((await runTimer(stack.app)).done.due, 0);
});

test("rate limits, errors and resets of the service lose nothing, and each failure is logged once", async (t) => {
  const { stack, seeded } = await startWithBacklog(t, 300);
  for (const operation of ["get", "delete"]) {
    await control(stack.emulator, "/faults", { operation, status: 429, rate: 0.09 });
    await control(stack.emulator, "/faults", { operation, status: 429, retryAfter: 1, rate: 0.01 });
    await control(stack.emulator, "/faults", { operation, status: 500, rate: 0.05 });
    await control(stack.emulator, "/faults", { operation, reset: true, rate: 0.025 });
    await control(stack.emulator, "/faults", { operation, reset: true, after: true, rate: 0.025 });
  }
  const first = await runTimer(stack.app);
  await assertNothingIsLost(stack, seeded);
  const failures = first.events.filter(({ event }) => event === "MaintenanceFailed");
  assert.equal(new Set(failures.map(({ sessionId }) => sessionId)).size, failures.length);
  assert.ok(failures.every(({ sessionId, error }) => typeof sessionId === "string" && error === "ApiError"));
  assert.deepEqual([first.done.due, first.done.failed, first.done.left], [300, failures.length, 0]);
  assert.equal(first.status, failures.length === 0 ? "Succeeded" : "Failed");
  let due = failures.length;
  for (let again = 0; due > 0 && again < 4; again += 1) {
    // The longest delay of the backoff.
    await control(stack.emulator, "/clock", hour);
    due = (await runTimer(stack.app)).done.failed;
  }
  await assertAllIsDone(stack, seeded);
});

test("a Retry-After beyond the run's deadline pauses all calls, also in the next run of the process", async (t) => {
  const { stack, seeded } = await startWithBacklog(t, 20, { env: { MAINTENANCE_BUDGET_SECONDS: "5" } });
  await control(stack.emulator, "/faults", { operation: "get", status: 429, retryAfter: 60, times: 1 });
  const { status, done } = await runTimer(stack.app);
  assert.deepEqual([status, done.due, done.failed], ["Succeeded", 20, 0]);
  assert.ok(done.left > 0 && done.left + done.collected >= 20, JSON.stringify(done));
  const { calls } = await emulatorState(stack);
  assert.equal((await runTimer(stack.app)).done.collected, 0);
  assert.deepEqual((await emulatorState(stack)).calls, calls, "no calls during the pause");
  // The pause is state of one process.
  await stack.restartApp();
  assert.equal((await runTimer(stack.app)).status, "Succeeded");
  await assertAllIsDone(stack, seeded);
});

test("an outage of storage during a run loses nothing", async (t) => {
  const dataFolder = await mkdtemp(join(tmpdir(), "maintenance-"));
  const { stack, seeded } = await startWithBacklog(t, 400, { dataFolder });
  const run = runTimer(stack.app);
  await until(async () => (await emulatorState(stack)).calls.delete >= 60);
  await stack.azurite.stop();
  const { status, done, events } = await run;
  assert.equal(status, "Failed");
  assert.ok(done.failed > 0 && done.failed < 300, JSON.stringify(done));
  assert.ok(events.some(({ event, code }) => event === "MaintenanceFailed" && code === "StorageUnavailable"));

  const { blob, queue, table } = stack.azurite.ports;
  const azurite = await startAzurite({ blobPort: blob, queuePort: queue, tablePort: table, dataFolder });
  t.after(async () => {
    await azurite.stop();
    await rm(dataFolder, { recursive: true, force: true, maxRetries: 5 });
  });
  await assertNothingIsLost(stack, seeded);
  const again = await runTimer(stack.app);
  assert.equal(again.status, "Succeeded", again.error);
  await assertAllIsDone(stack, seeded);
});

test("runs that are killed lose none of 2,000 due sessions", async (t) => {
  const { stack, seeded } = await startWithBacklog(t, 2000);

  for (const deleted of [200, 900]) {
    const run = stack.app.runFunction("maintainSessions").catch(() => "killed");
    await until(async () => (await emulatorState(stack)).calls.delete >= deleted);
    stack.app.kill("SIGKILL");
    assert.equal(await run, "killed");
    await assertNothingIsLost(stack, seeded);
    await stack.restartApp();
  }
  const { status, error } = await stack.app.runFunction("maintainSessions");
  assert.equal(status, "Succeeded", error);
  await assertAllIsDone(stack, seeded);
  const { calls } = await emulatorState(stack);
  assert.ok(calls.get < 2400, `recorded sessions are not read again: ${calls.get}`);
});
