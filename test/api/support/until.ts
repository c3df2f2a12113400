import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Polls every `everyMs` until `condition` holds. Fails after `timeoutMs` (default one minute) with what `state` shows then. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  {
    timeoutMs = 60_000,
    everyMs = 20,
    state = () => "",
  }: { timeoutMs?: number; everyMs?: number; state?: () => string } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `the condition does not hold after ${timeoutMs} ms: ${state()}`);
    await sleep(everyMs);
  }
}
