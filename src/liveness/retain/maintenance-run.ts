import { isForbidden, isThrottled } from "../../api-errors.ts";
import { ApiError } from "../../errors.ts";
import type { FaceCallOptions, FaceService } from "../../face/client/face-service.ts";
import { createSemaphore } from "../../semaphore.ts";
import type { Clock } from "../model/clock.ts";
import { createRateLimiter, DeadlineReached, type RateLimiter } from "./rate-limiter.ts";

/** Limits of a run of the timer. */
export interface RunLimits {
  face: FaceService;
  now: Clock;
  /** Concurrent calls of the service. Twice as many sessions are processed concurrently. */
  concurrency: number;
  faceCallsPerSecond: number;
  /** Shared by runs in one process, so that they keep the limits together. Default: one for this run. */
  rateLimiter?: RateLimiter;
}

/** One run of the timer with its limits of concurrency, rate and time. */
export interface Run {
  startedOn: string;
  /** The service, behind the run's rate limiter and until its end. Throws `DeadlineReached` if there is no time left. */
  face: FaceService;
  /** Waits for a slot for a session, the oldest first. False if no further session may begin. */
  admit(dueOn: string): Promise<boolean>;
  /** Releases the slot. `cause`: the session's failure, if any. */
  leave(cause: unknown): void;
  /** Whether the run must stop, including the final work. */
  isOver(): boolean;
  end(): void;
}

/** Share of a run's time in which no session begins: it is left for counting the remaining sessions and for the scans. */
const lastShare = 0.05;
/** Number of throttled tries after which a call is left to the next run. */
const maxRefusals = 5;
/** Number of successive sessions that fail because storage is unavailable, after which the run ends. */
const maxOutages = 20;

/** @param deadline milliseconds since the epoch. Calls of the service in progress are aborted then. */
export function beginRun(limits: RunLimits, deadline: number): Run {
  const { face, now, concurrency } = limits;
  const { rateLimiter = createRateLimiter({ callsPerSecond: limits.faceCallsPerSecond, now }) } = limits;
  const startedMs = now();
  const lastBegin = deadline - (deadline - startedMs) * lastShare;
  const sessionSlots = createSemaphore(2 * concurrency);
  const faceCallSlots = createSemaphore(concurrency);
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new DeadlineReached()), Math.max(0, deadline - startedMs));
  timer.unref();
  const options: FaceCallOptions = { gate: rateLimiter.gate(lastBegin), signal: abort.signal };
  let outages = 0;

  const mayBegin = () => now() < lastBegin && outages < maxOutages;

  /** Repeats throttled calls: the rate limiter has recorded the refusal and delays the next try. */
  async function call<T>(ask: () => Promise<T>): Promise<T> {
    await faceCallSlots.acquire();
    try {
      for (let refusals = 1; ; refusals += 1) {
        try {
          return await ask();
        } catch (error) {
          if (abort.signal.aborted) throw new DeadlineReached();
          if (!isThrottled(error)) throw error;
          if (refusals === maxRefusals) throw new DeadlineReached();
        }
      }
    } finally {
      faceCallSlots.release();
    }
  }

  return {
    startedOn: new Date(startedMs).toISOString(),
    face: {
      ...face,
      get: (session) => call(() => face.get(session, options)),
      revoke: (session) => call(() => face.revoke(session, options)),
    },
    async admit(dueOn) {
      if (!mayBegin()) return false;
      await sessionSlots.acquire(dueOn);
      if (mayBegin()) return true;
      sessionSlots.release();
      return false;
    },
    leave(cause) {
      outages = isStorageOutage(cause) ? outages + 1 : 0;
      sessionSlots.release();
    },
    isOver: () => now() >= deadline || outages >= maxOutages,
    end: () => clearTimeout(timer),
  };
}

function isStorageOutage(cause: unknown): boolean {
  return cause instanceof ApiError && cause.code === "StorageUnavailable";
}

/** Errors of the app's credentials, which affect all sessions. */
const credentialCodes = new Set(["FaceCredentialsRejected", "FaceCredentialFailed"]);

/** Whether a failure affects all sessions: storage is unavailable, or the service refuses the app, its quota or approval. */
export function isInfrastructureFailure(cause: unknown): boolean {
  if (!(cause instanceof ApiError)) return false;
  return isStorageOutage(cause) || credentialCodes.has(cause.code) || isForbidden(cause);
}
