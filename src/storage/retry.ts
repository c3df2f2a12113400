import { setTimeout as sleepFor } from "node:timers/promises";
import { ApiError } from "../errors.ts";
import type { RequestObserver } from "../telemetry/telemetry.ts";
import { isTransient, readFailure, storageUnavailable, TransportError } from "./storage-errors.ts";

/** How long to wait for storage, and how often to ask again. */
export interface Patience {
  /** Limit for one try, its body included. Default 10,000 ms; the SDKs have none. */
  timeoutMs: number;
  /** Further tries after the first. Default 3. */
  retries: number;
  /** Doubled with each retry, with jitter. Default 100 ms. */
  firstDelayMs: number;
  /** Default 2,000 ms. */
  maxDelayMs: number;
  /** From 0 (inclusive) to 1 (exclusive). */
  random: () => number;
  sleep: (ms: number) => Promise<unknown>;
  /** Told of each request and its end. Default: nobody is. */
  onRequest?: RequestObserver;
}

export const defaultPatience: Patience = {
  timeoutMs: 10_000,
  retries: 3,
  firstDelayMs: 100,
  maxDelayMs: 2_000,
  random: Math.random,
  sleep: (ms) => sleepFor(ms),
};

/**
 * Runs one request with a time limit and asks again after failures that may pass. The SDKs' own retries are switched
 * off, because they hide that a request was sent twice: `repeated` tells the operation that an earlier try went out and
 * its answer was lost, so that a conflict may be the echo of its own write. Throws `ApiError` 503 `StorageUnavailable`
 * when the tries are used up; a try that ran out of time is repeated once only, to keep the whole bounded.
 */
export async function persist<T>(
  patience: Patience,
  operation: (abortSignal: AbortSignal, repeated: boolean) => Promise<T>,
): Promise<T> {
  let timeouts = 0;
  for (let tries = 1; ; tries++) {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), patience.timeoutMs);
    const ended = patience.onRequest?.();
    try {
      const result = await operation(limit.signal, tries > 1);
      ended?.();
      return result;
    } catch (error) {
      ended?.(readFailure(error)?.status);
      if (error instanceof ApiError) throw error;
      const timedOut = limit.signal.aborted;
      if (!timedOut && !isTransient(error)) throw error;
      if (timedOut) timeouts++;
      if (tries > patience.retries || timeouts > 1) {
        throw storageUnavailable(
          timedOut ? new TransportError(`No answer within ${patience.timeoutMs} ms`, { cause: error }) : error,
        );
      }
    } finally {
      clearTimeout(timer);
    }
    await patience.sleep(backoff(tries, patience));
  }
}

/** Delay before the retry of that number (from 1): exponential, capped, between half and all of it. */
export function backoff(
  retry: number,
  { firstDelayMs, maxDelayMs, random }: Pick<Patience, "firstDelayMs" | "maxDelayMs" | "random">,
): number {
  const full = Math.min(firstDelayMs * 2 ** (retry - 1), maxDelayMs);
  return full * (0.5 + random() / 2);
}
