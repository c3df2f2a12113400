import assert from "node:assert/strict";
import { test } from "node:test";
import { startStack } from "../local/stack.ts";
import { control, emulatorState } from "./support/app-client.ts";
import { assertAllIsDone, assertNothingIsLost, seedBacklog } from "./support/backlog.ts";
import { until } from "./support/until.ts";

test("runs that are killed lose none of 2,000 due sessions", async (t) => {
  const stack = await startStack({
    env: { SESSION_RETENTION_HOURS: "1", MAINTENANCE_FACE_CALLS_PER_SECOND: "1000" },
  });
  t.after(() => stack.stop());
  const seeded = await seedBacklog(stack, 2000);
  await control(stack.emulator, "/clock", { advanceSeconds: 3600 });

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
