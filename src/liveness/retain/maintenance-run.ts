import { isForbidden, isThrottled } from "../../api-errors.ts";
import { ApiError } from "../../errors.ts";
import type { FaceCallOptions, FaceService } from "../../face/client/face-service.ts";
import { createSemaphore } from "../../semaphore.ts";
import type { Clock } from "../model/clock.ts";
import { createRateLimiter, DeadlineReached, type RateLimiter } from "./rate-limiter.ts";

/** What bounds a run of the timer. */
export interface RunLimits {
  face: FaceService;
  now: Clock;
  /** Sessions that the service is asked for at the same time; as many more are being read or written meanwhile. */
  concurrency: number;
  faceCallsPerSecond: number;
  /** Shared by runs in one process, so that they keep the limits together. Default: one for this run. */
  rateLimiter?: RateLimiter;
}

/** One run of the timer: how much it may do at once, how fast, and until when. */
export interface Run {
  startedOn: string;
  /** The service, at the run's rateLimiter and up to its end. Throws `DeadlineReached` where that leaves no time. */
  face: FaceService;
  /** Waits for a place to work on a session, the oldest first. False where no session may be begun any more. */
  admit(dueOn: string): Promise<boolean>;
  /** Releases the place. `cause`: what the session failed with, if it did. */
  leave(cause: unknown): void;
  /** Whether nothing is to be done any more, not even what comes last. */
  isOver(): boolean;
  end(): void;
}

/** Share of the time that is kept for what comes last: to count what is left, and to look for images. */
const lastShare = 0.05;
/** Refusals of one call before it is left for the next run. */
const maxRefusals = 5;
/** Sessions in a row for which storage was out of reach: it is for all of them then, and the run ends. */
const maxOutages = 20;

/** @param deadline milliseconds since the epoch. Calls of the service that last until then are broken off. */
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

  /** A throttled call is not a failure: the rate limiter has recorded it, and the call waits for its next turn. */
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

/** With these the app itself cannot ask, whichever session it asks for. */
const credentialCodes = new Set(["FaceCredentialsRejected", "FaceCredentialFailed"]);

/** Whether it is no session's fault: storage is out of reach, or the service refuses the app, its quota or its approval. */
export function isInfrastructureFailure(cause: unknown): boolean {
  if (!(cause instanceof ApiError)) return false;
  return isStorageOutage(cause) || credentialCodes.has(cause.code) || isForbidden(cause);
}
