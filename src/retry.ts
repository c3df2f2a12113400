import { setTimeout as sleepFor } from "node:timers/promises";

/** Which failures of an operation are retried, how often, and after which delays. */
export interface RetryPolicy {
  /** Attempts after the first one. */
  retries: number;
  /** Delay before the first retry in ms; doubled with each further retry. */
  firstDelayMs: number;
  /** Longest delay in ms. If `Retry-After` asks for a longer one, there is no retry. */
  maxDelayMs: number;
  /** Jitter, 0 to 1: a delay is shortened by up to one half. 1 means the full delay. */
  random: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<unknown>;
  isTransient(error: unknown): boolean;
  /** `Retry-After` of the failure. Default: none. */
  retryAfterOf?(error: unknown): string | undefined;
}

export function sleep(ms: number, signal?: AbortSignal): Promise<unknown> {
  return sleepFor(ms, undefined, signal && { signal });
}

/**
 * Runs an operation, and runs it again after transient failures. Throws the last failure, or `AbortError` if `signal` is
 * aborted during a delay.
 *
 * @param operation is passed the number of earlier attempts.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  operation: (retries: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await operation(retries);
    } catch (error) {
      const delayMs = delayBeforeRetry(policy, error, retries);
      if (delayMs === undefined) throw error;
      await policy.sleep(delayMs, signal);
    }
  }
}

/** Delay in ms before the next attempt; undefined if there is none. @param retries number of retries so far. */
export function delayBeforeRetry(policy: RetryPolicy, error: unknown, retries: number): number | undefined {
  if (retries >= policy.retries || !policy.isTransient(error)) return undefined;
  const delayMs = backoff(retries + 1, policy);
  const retryAfter = policy.retryAfterOf?.(error);
  if (retryAfter === undefined) return delayMs;
  const requestedMs = retryAfterMs(retryAfter, Date.now());
  return requestedMs !== undefined && requestedMs <= policy.maxDelayMs ? Math.max(requestedMs, delayMs) : undefined;
}

/** Delay in ms before a retry (from 1): exponential and capped, shortened by the jitter. */
export function backoff(
  retry: number,
  { firstDelayMs, maxDelayMs, random }: Pick<RetryPolicy, "firstDelayMs" | "maxDelayMs" | "random">,
): number {
  const nominal = Math.min(firstDelayMs * 2 ** (retry - 1), maxDelayMs);
  return nominal * (0.5 + random() / 2);
}

/** Parses `Retry-After`, a number of seconds or an HTTP date, to ms from `nowMs`. Undefined for any other text. */
export function retryAfterMs(value: string, nowMs: number): number | undefined {
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/**
 * Runs an operation for at most `timeoutMs`, and not beyond the abort of `outer`. The promise settles in time even if the
 * operation ignores its signal.
 *
 * Not built on `AbortSignal.timeout`, whose timer cannot be cleared and does not keep the process alive, nor on
 * `AbortSignal.any`, whose signals stay in memory for as long as the operation leaves a listener on them.
 *
 * @throws the error of `timeoutError`, or the abort reason of `outer`.
 */
export async function withTimeout<T>(
  timeoutMs: number,
  timeoutError: () => Error,
  operation: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  outer?.throwIfAborted();
  const deadline = new AbortController();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (reason: unknown) => {
    // Rejects before the abort, so that the operation's own error does not come first.
    reject(reason);
    deadline.abort(reason);
  };
  const onOuterAbort = () => abort(outer?.reason);
  const timer = setTimeout(() => abort(timeoutError()), timeoutMs);
  outer?.addEventListener("abort", onOuterAbort, { once: true });
  try {
    return await Promise.race([operation(deadline.signal), aborted]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", onOuterAbort);
  }
}
