import { type RetryPolicy, sleep, withRetry, withTimeout } from "../../retry.ts";
import type { RequestObserver } from "../../telemetry/telemetry.ts";
import { isTransient, readFailure, storageUnavailable, TransportError } from "./storage-errors.ts";

/** Time limit and retries of a request to storage. */
export interface StorageRetryPolicy extends Omit<RetryPolicy, "isTransient" | "retryAfterOf"> {
  /** Timeout of one attempt in ms, its response body included. The SDKs have no timeout. */
  timeoutMs: number;
  /** Called for each attempt. Default: none. */
  onRequest?: RequestObserver;
}

export const defaultRetryPolicy: StorageRetryPolicy = {
  timeoutMs: 10_000,
  retries: 3,
  firstDelayMs: 100,
  maxDelayMs: 2_000,
  random: Math.random,
  sleep,
};

/**
 * Sends a request with a time limit and retries. The SDKs' own retries are disabled, since they hide that a request was
 * sent twice.
 *
 * @param operation is passed `repeated`: an earlier attempt was sent and its response was lost, so a conflict may be
 *   caused by the write of that attempt.
 * @throws ApiError 503 `StorageUnavailable` after the last retry of a transient failure, or after the second timeout, which
 *   limits the total time.
 */
export async function sendRequest<T>(
  policy: StorageRetryPolicy,
  operation: (abortSignal: AbortSignal, repeated: boolean) => Promise<T>,
): Promise<T> {
  const { timeoutMs, onRequest } = policy;
  let timeouts = 0;
  const timeoutError = () => {
    timeouts += 1;
    return new TransportError(`No response within ${timeoutMs} ms`);
  };
  try {
    return await withRetry(
      { ...policy, isTransient: (error) => isTransient(error) && timeouts < 2 },
      async (retries) => {
        const ended = onRequest?.();
        try {
          const result = await withTimeout(timeoutMs, timeoutError, (signal) => operation(signal, retries > 0));
          ended?.();
          return result;
        } catch (error) {
          ended?.(readFailure(error)?.status);
          throw error;
        }
      },
    );
  } catch (error) {
    throw isTransient(error) ? storageUnavailable(error) : error;
  }
}

/** A table or container that is created when a request finds it missing. */
export interface Creatable {
  /** Error code of a request to a missing table or container. */
  missingCode: string;
  /** Must succeed after a concurrent creation. */
  create(abortSignal: AbortSignal): Promise<unknown>;
}

/** `sendRequest`, repeated after `create` if the table or container is missing. */
export async function sendOrCreate<T>(
  policy: StorageRetryPolicy,
  { missingCode, create }: Creatable,
  operation: (abortSignal: AbortSignal, repeated: boolean) => Promise<T>,
): Promise<T> {
  try {
    return await sendRequest(policy, operation);
  } catch (error) {
    if (readFailure(error)?.code !== missingCode) throw error;
  }
  await sendRequest(policy, create);
  return sendRequest(policy, operation);
}
