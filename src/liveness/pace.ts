import { setTimeout as sleepFor } from "node:timers/promises";
import type { CallGate, Clock } from "./ports.ts";

/** Thrown where there is no time left for something: it is left for the next run, and has not failed. */
export class NotNow extends Error {
  override readonly name = "NotNow";

  constructor() {
    super("There is no time left for this now.");
  }
}

export interface Pace {
  /** Lets requests through as long as their turn comes before `until`, milliseconds since the epoch. */
  gate(until: number): CallGate;
}

export interface PaceOptions {
  callsPerSecond: number;
  now: Clock;
  /** Milliseconds of a clock that only ever goes forward. Default: the process's. */
  ticks?: () => number;
  sleep?: (ms: number) => Promise<unknown>;
}

/** Least pause after a refusal that does not say how long to wait; doubled with each one that follows upon it. */
const shortestPauseMs = 100;
const longestPauseMs = 60_000;

/**
 * Lets requests through one by one and evenly, so many a second: a time without requests earns none. Where the service
 * refuses one for being too many, all of them pause: for as long as `Retry-After` says, or else for the time of two and a
 * half requests, and twice as long with each refusal in a row, up to a minute.
 */
export function createPace(options: PaceOptions): Pace {
  const { callsPerSecond, now, ticks = () => performance.now(), sleep = (ms) => sleepFor(ms) } = options;
  const intervalMs = 1000 / callsPerSecond;
  const firstPauseMs = Math.max(2.5 * intervalMs, shortestPauseMs);
  let nextTurn = 0;
  let pausedUntil = 0;
  let lastRefusal = Number.NEGATIVE_INFINITY;
  let refusals = 0;
  let queue = Promise.resolve();

  /** Resolves at the caller's turn. Whoever waits at the head of the queue sees a pause that begins meanwhile. */
  async function turn(endTick: number): Promise<void> {
    for (;;) {
      const due = Math.max(ticks(), nextTurn, pausedUntil);
      if (due >= endTick) throw new NotNow();
      if (due <= ticks()) {
        nextTurn = due + intervalMs;
        return;
      }
      await sleep(Math.ceil(due - ticks()));
      // Turns are counted from when they were due, as a timer may come late; unless a pause began meanwhile.
      if (ticks() >= due && pausedUntil <= due) {
        nextTurn = due + intervalMs;
        return;
      }
    }
  }

  function refuse(sentAt: number, retryAfter: string | undefined): void {
    const askedMs = millisecondsOf(retryAfter, now());
    // What was sent before the last refusal was heard of tells nothing new.
    const isNew = sentAt > lastRefusal;
    if (isNew) {
      refusals += 1;
      lastRefusal = ticks();
    }
    const pauseMs = askedMs ?? (isNew ? Math.min(firstPauseMs * 2 ** (refusals - 1), longestPauseMs) : 0);
    pausedUntil = Math.max(pausedUntil, ticks() + pauseMs);
  }

  return {
    gate: (until) => async () => {
      const endTick = ticks() + (until - now());
      const mine = queue.then(() => turn(endTick));
      queue = mine.catch(() => undefined);
      await mine;
      const sentAt = ticks();
      return (status, retryAfter) => {
        if (status === 429 || (status === 503 && retryAfter !== undefined)) refuse(sentAt, retryAfter);
        else if (sentAt > lastRefusal) refusals = 0;
      };
    },
  };
}

/** `Retry-After` is a number of seconds, or a date. Undefined for what is neither. */
function millisecondsOf(retryAfter: string | undefined, nowMs: number): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d{1,9}$/.test(retryAfter.trim())) return Number(retryAfter) * 1000;
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
