import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startStack } from "../local/stack.ts";
import { control, emulatorState } from "./support/app-client.ts";
import { assertAllIsDone, assertNothingIsLost, seedBacklog } from "./support/backlog.ts";

test("a run that is killed again and again loses nothing of 2,000 due sessions", async (t) => {
  const stack = await startStack({
    env: { SESSION_RETENTION_HOURS: "1", MAINTENANCE_FACE_CALLS_PER_SECOND: "1000" },
  });
  t.after(() => stack.stop());
  const seeded = await seedBacklog(stack, 2000);
  await control(stack.emulator, "/clock", { advanceSeconds: 3600 });

  for (const deleted of [200, 900]) {
    const run = stack.app.runFunction("maintainSessions").catch(() => "killed");
    while ((await emulatorState(stack)).calls.delete < deleted) await sleep(50);
    stack.app.kill("SIGKILL");
    assert.equal(await run, "killed");
    await assertNothingIsLost(stack, seeded);
    await stack.restartApp();
  }
  const { status, error } = await stack.app.runFunction("maintainSessions");
  assert.equal(status, "Succeeded", error);
  await assertAllIsDone(stack, seeded);
  const { calls } = await emulatorState(stack);
  assert.ok(calls.get < 2400, `what is recorded is not asked for again: ${calls.get}`);
});
