import type { CallGate } from "../../face/client/face-service.ts";
import type { Throttling } from "../../face/errors.ts";
import { sleep as sleepFor } from "../../retry.ts";
import type { Clock } from "../model/clock.ts";

/** Thrown if there is no time left in this run. The work has not failed; the next run continues it. */
export class DeadlineReached extends Error {
  override readonly name = "DeadlineReached";

  constructor() {
    super("The time of this run has ended.");
  }
}

export interface RateLimiter {
  /** A gate for requests that are due before `until`, milliseconds since the epoch. */
  gate(until: number): CallGate;
}

export interface RateLimiterOptions {
  callsPerSecond: number;
  now: Clock;
  /** Monotonic clock in milliseconds. Default: `performance.now`. */
  ticks?: () => number;
  sleep?: (ms: number) => Promise<unknown>;
}

/** Bounds of the pause after a refusal that names no time. */
const shortestPauseMs = 100;
const longestPauseMs = 60_000;

/**
 * Rate limiter for requests to the Face service. Requests are spaced evenly, without bursts after idle time. If the service
 * throttles a request, all requests pause: for the time that the service requests, or else for 2.5 intervals, doubled with
 * each refusal in a row, up to a minute.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { callsPerSecond, now, ticks = () => performance.now(), sleep = sleepFor } = options;
  const intervalMs = 1000 / callsPerSecond;
  const firstPauseMs = Math.max(2.5 * intervalMs, shortestPauseMs);
  let nextTurn = 0;
  let pausedUntil = 0;
  let lastRefusal = Number.NEGATIVE_INFINITY;
  let refusals = 0;
  let queue = Promise.resolve();

  /** Resolves at the caller's turn. The head of the queue observes a pause that begins while it waits. */
  async function turn(endTick: number): Promise<void> {
    for (;;) {
      const due = Math.max(ticks(), nextTurn, pausedUntil);
      if (due >= endTick) throw new DeadlineReached();
      if (due <= ticks()) {
        nextTurn = due + intervalMs;
        return;
      }
      await sleep(Math.ceil(due - ticks()));
      // The next turn counts from the due time, since timers fire late; unless a pause has begun.
      if (ticks() >= due && pausedUntil <= due) {
        nextTurn = due + intervalMs;
        return;
      }
    }
  }

  function refuse(sentAt: number, { waitMs }: Throttling): void {
    // A request sent before the last refusal arrived is part of the same overload.
    const isNew = sentAt > lastRefusal;
    if (isNew) {
      refusals += 1;
      lastRefusal = ticks();
    }
    const pauseMs = waitMs ?? (isNew ? Math.min(firstPauseMs * 2 ** (refusals - 1), longestPauseMs) : 0);
    pausedUntil = Math.max(pausedUntil, ticks() + pauseMs);
  }

  return {
    gate: (until) => async () => {
      const endTick = ticks() + (until - now());
      const mine = queue.then(() => turn(endTick));
      queue = mine.catch(() => undefined);
      await mine;
      const sentAt = ticks();
      return (throttling) => {
        if (throttling !== undefined) refuse(sentAt, throttling);
        else if (sentAt > lastRefusal) refusals = 0;
      };
    },
  };
}
