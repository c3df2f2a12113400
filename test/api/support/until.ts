import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

const everyMs = 20;

/** Polls until `condition` holds. Fails after `timeoutMs` (default one minute) with what `state` shows then. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 60_000, state = () => "" }: { timeoutMs?: number; state?: () => string } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `the condition does not hold after ${timeoutMs} ms: ${state()}`);
    await sleep(everyMs);
  }
}
