import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { drain } from "../../src/liveness/retain/maintain.ts";
import type { Figure, Part } from "./figures.ts";
import { createTimerWorld } from "./timer-world.ts";

const storageMs = 2;
const faceMs = 20;
const concurrency = 64;
const mebibyte = 1024 * 1024;

/**
 * The timer with many due sessions, on stand-ins for storage and the Face service in this process: its rate relative to the
 * allowed one, and its memory.
 */
export function timerRate(sessions: number): Part {
  return {
    name: "timer",
    async run(report): Promise<Figure[]> {
      const world = createTimerWorld({ sessions, storageMs, faceMs, concurrency });
      const collectGarbage = exposeGc();
      const before = heapAfter(collectGarbage);
      let peak = before;
      const sampler = setInterval(() => {
        peak = Math.max(peak, heapAfter(collectGarbage));
      }, 1000);
      report(`collecting ${sessions} sessions`);
      const start = performance.now();
      const summary = await drain(world.deps, world.now() + 3_600_000);
      const seconds = (performance.now() - start) / 1000;
      clearInterval(sampler);
      peak = Math.max(peak, heapAfter(collectGarbage));

      if (summary.collected !== sessions || world.recordedOnce() !== sessions || world.failures.length > 0) {
        throw new AggregateError(world.failures.slice(0, 3), `Not all was collected: ${JSON.stringify(summary)}`);
      }
      const rate = sessions / seconds;
      const allowed = concurrency / (faceMs / 1000);
      return [
        {
          figure: "timer: share of the rate that Face allows",
          unit: "%",
          bound: "at least",
          target: 80,
          measured: (rate / allowed) * 100,
          note: `${sessions} sessions in ${seconds.toFixed(1)} s: ${rate.toFixed(0)} of ${allowed} a second`,
        },
        {
          figure: "timer: growth of the heap",
          unit: "MiB",
          bound: "at most",
          target: 64,
          measured: (peak - before) / mebibyte,
          note: "the most that was alive at any second",
        },
        {
          figure: "timer: expiry rows read per due session",
          unit: "rows",
          bound: "at most",
          target: 1.05,
          measured: world.rowsRead() / sessions,
        },
      ];
    },
  };
}

/** `gc` is behind a flag of V8, which takes effect for new contexts only. */
function exposeGc(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}

function heapAfter(collectGarbage: () => void): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
