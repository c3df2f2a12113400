import { setTimeout as sleep } from "node:timers/promises";

/** Lets calls through evenly, so many a second and no bursts. Callers wait their turn in the order of asking. */
export function createPace(callsPerSecond: number): () => Promise<void> {
  const intervalMs = 1000 / callsPerSecond;
  let next = 0;
  return async () => {
    const now = performance.now();
    const turn = Math.max(now, next);
    next = turn + intervalMs;
    if (turn > now) await sleep(turn - now);
  };
}
