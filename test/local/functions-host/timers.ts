import { randomUUID } from "node:crypto";
import type { TimerFunction } from "./function-list.ts";
import type { Invoker } from "./invocations.ts";
import type { Log } from "./log.ts";
import { parseSchedule, type Schedule } from "./ncrontab.ts";

/** The maximum delay of setTimeout. */
const longestWait = 2 ** 31 - 1;

export interface Timers {
  /** Starts the schedules, on real time. */
  start(): void;
  stop(): void;
  /** Runs a timer now, in addition to its schedule. Throws the error of the function. */
  run(timer: TimerFunction): Promise<void>;
}

export function createTimers(functions: readonly TimerFunction[], invoker: Invoker, log: Log, now: () => Date): Timers {
  const waiting = new Map<TimerFunction, NodeJS.Timeout>();
  const lastRuns = new Map<TimerFunction, Date>();
  let stopped = false;

  async function run(timer: TimerFunction, schedule?: Schedule): Promise<void> {
    const startedOn = now();
    const { registered, bindingName } = timer;
    const status = {
      Last: (lastRuns.get(timer) ?? startedOn).toISOString(),
      LastUpdated: (lastRuns.get(timer) ?? startedOn).toISOString(),
      Next: (schedule?.next(startedOn) ?? startedOn).toISOString(),
    };
    const input = { Schedule: { AdjustForDST: true }, ScheduleStatus: status, IsPastDue: false };
    lastRuns.set(timer, startedOn);
    try {
      await invoker.invoke(registered, {
        invocationId: randomUUID(),
        input: { name: bindingName, data: { json: JSON.stringify(input) } },
      });
      log("information", registered.name, `Executed in ${now().getTime() - startedOn.getTime()} ms`);
    } catch (error) {
      log(
        "error",
        registered.name,
        `Failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      throw error;
    }
  }

  /** Computes the next time only after a run, so that runs of a timer never overlap. */
  function wait(timer: TimerFunction, schedule: Schedule): void {
    const next = schedule.next(now());
    if (stopped || !next) {
      return;
    }
    const milliseconds = Math.max(next.getTime() - now().getTime(), 0);
    const isDue = milliseconds <= longestWait;
    const wake = async () => {
      if (isDue && now() >= next) {
        await run(timer, schedule).catch(() => undefined);
      }
      wait(timer, schedule);
    };
    waiting.set(timer, setTimeout(wake, Math.min(milliseconds, longestWait)));
  }

  return {
    run: (timer) => run(timer),
    start: () => {
      for (const timer of functions) {
        let schedule: Schedule;
        try {
          schedule = parseSchedule(timer.schedule);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          log("error", "host", `The '${timer.registered.name}' function is in error: ${reason}`);
          continue;
        }
        if (timer.runOnStartup) {
          void run(timer, schedule)
            .catch(() => undefined)
            .then(() => wait(timer, schedule));
        } else {
          wait(timer, schedule);
        }
      }
    },
    stop: () => {
      stopped = true;
      for (const timeout of waiting.values()) {
        clearTimeout(timeout);
      }
    },
  };
}
