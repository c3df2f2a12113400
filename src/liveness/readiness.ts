import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import type { Clock } from "./model/clock.ts";
import type { Ports } from "./model/ports.ts";

export interface NotReady {
  part: "sessions" | "images" | "face";
  code: string;
  /** For the log. */
  cause: string;
}

export interface Findings {
  /** Dependencies that are not reachable; empty if all are. */
  failures: NotReady[];
  /**
   * The due time of the oldest overdue session, RFC 3339: the timer does not run, or is too slow. Absent if no session is
   * overdue, or if storage is unreachable.
   */
  overdueSince?: string;
}

export interface Readiness {
  /** Checks the dependencies. Findings are cached for ten seconds, so that public calls are cheap. Never rejects. */
  look(): Promise<Findings>;
}

const cacheMs = 10_000;
/** The service limits the rate of calls, so its result is cached for longer. */
const cacheFaceMs = 30_000;

/** The timer runs every five minutes: an overdue session was missed at least twice. */
const overdueMs = 15 * 60_000;
/** The check for overdue sessions takes sixteen small queries, so the result that none is overdue is cached for longer. */
const cacheInTimeMs = 60_000;

export function createReadiness(deps: Pick<Ports, "face" | "sessions" | "schedule" | "images" | "now">): Readiness {
  const askFace = cached(() => check("face", deps.face.probe()), cacheFaceMs, deps.now);
  let wasInTime = Number.NEGATIVE_INFINITY;

  async function oldestOverdue(): Promise<string | undefined> {
    const nowMs = deps.now();
    if (nowMs - wasInTime < cacheInTimeMs) return undefined;
    // If storage is unreachable, the check `sessions` reports it.
    const since = await deps.schedule.oldestDue(new Date(nowMs - overdueMs).toISOString()).catch(() => undefined);
    if (since === undefined) wasInTime = nowMs;
    return since;
  }

  async function look(): Promise<Findings> {
    const [overdueSince, ...checks] = await Promise.all([
      oldestOverdue(),
      check("sessions", deps.sessions.probe()),
      check("images", deps.images.probe()),
      askFace(),
    ]);
    const failures = checks.filter((outcome) => outcome !== undefined);
    return compact({ failures, overdueSince });
  }

  return { look: cached(look, cacheMs, deps.now) };
}

async function check(part: NotReady["part"], probe: Promise<void>): Promise<NotReady | undefined> {
  try {
    await probe;
    return undefined;
  } catch (error) {
    return {
      part,
      code: error instanceof ApiError ? error.code : "Failed",
      cause: error instanceof Error ? error.message : "unknown",
    };
  }
}

/** Caches the last result. Concurrent callers share one call. */
function cached<T>(ask: () => Promise<T>, forMs: number, now: Clock): () => Promise<T> {
  let last: { answer: Promise<T>; until: number } | undefined;
  return () => {
    if (last !== undefined && now() < last.until) return last.answer;
    const asked = { answer: ask(), until: Number.POSITIVE_INFINITY };
    last = asked;
    const age = () => {
      asked.until = now() + forMs;
    };
    asked.answer.then(age, age);
    return asked.answer;
  };
}
