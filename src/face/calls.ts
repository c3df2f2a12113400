import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "../errors.ts";

/**
 * Runs `work`, but for no longer than `timeoutMs`, nor past the end of `outer`. Work that ignores its signal is left
 * alone: the promise is settled in time all the same.
 *
 * @param tooLate makes what is thrown when the time is over; when `outer` ends it, its reason is thrown.
 */
export function endWithin<T>(
  timeoutMs: number,
  tooLate: () => Error,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (outer?.aborted) {
      reject(outer.reason);
      return;
    }
    const deadline = new AbortController();
    const end = (reason: unknown) => {
      tidy();
      // Before the abort, by which the work fails in some way of its own.
      reject(reason);
      deadline.abort(reason);
    };
    const endByCaller = () => end(outer?.reason);
    const timer = setTimeout(() => end(tooLate()), timeoutMs);
    outer?.addEventListener("abort", endByCaller, { once: true });
    const tidy = () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", endByCaller);
    };
    work(deadline.signal).finally(tidy).then(resolve, reject);
  });
}

/** Longest wait before a call is repeated; a service that asks for a longer one is not waited for. */
const maxDelayMs = 1000;
const firstDelayMs = 200;
const maxRepeats = 2;

const passingStatuses = new Set([408, 429, 500, 502, 503]);
/** An answer that cannot be understood, a token that cannot be had and a key that is refused are the same a second later. */
const lastingCodes = new Set(["FaceResponseInvalid", "FaceCredentialFailed", "FaceCredentialsRejected"]);

/**
 * Makes a call that may be repeated safely, at most three times, while it fails for reasons that pass. A `Retry-After`
 * within a second is obeyed; a longer one goes on to the caller at once, who knows better what to do with the time.
 *
 * @param call is told how often it was made before.
 */
export async function callRepeatedly<T>(
  call: (repeats: number) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let repeats = 0; ; repeats += 1) {
    try {
      return await call(repeats);
    } catch (error) {
      const delayMs = repeats < maxRepeats ? delayBefore(error, repeats) : undefined;
      if (delayMs === undefined) throw error;
      await sleep(delayMs, undefined, signal && { signal });
    }
  }
}

/** Milliseconds to wait before the next call, or undefined where there should be none. */
export function delayBefore(error: unknown, repeats: number): number | undefined {
  if (!(error instanceof ApiError) || !passingStatuses.has(error.status)) return undefined;
  if (lastingCodes.has(error.code)) return undefined;
  const backoffMs = firstDelayMs * 2 ** repeats;
  if (error.retryAfter === undefined) return backoffMs;
  const askedMs = Number(error.retryAfter) * 1000;
  return askedMs <= maxDelayMs ? Math.max(askedMs, backoffMs) : undefined;
}

/** Everything that a stream yields. Throws where it yields more than `limitInBytes`, and destroys it. */
export async function readStream(stream: AsyncIterable<unknown> | undefined, limitInBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError("The stream yields something else than bytes.");
    length += chunk.byteLength;
    if (length > limitInBytes) throw new RangeError(`The body is larger than ${limitInBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
