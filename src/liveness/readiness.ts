import { ApiError } from "../errors.ts";
import type { FaceService } from "../face/client/face-service.ts";
import type { Clock } from "./model/clock.ts";
import type { Images } from "./model/images.ts";
import type { Schedule } from "./model/schedule.ts";
import type { Sessions } from "./model/sessions.ts";

export interface NotReady {
  part: "tables" | "blobs" | "face";
  code: string;
  /** For the log. */
  cause: string;
}

export interface Findings {
  /** What the app needs and does not reach; empty when all is well. */
  failures: NotReady[];
  /**
   * Since when a session has been due that the timer should have looked at long ago: it does not run, or cannot keep up.
   * Absent where it is in time, or where that cannot be found out. RFC 3339.
   */
  overdueSince?: string;
}

export interface Readiness {
  /** Anyone may ask, as often as they like: what was found is remembered for ten seconds. Never rejects. */
  look(): Promise<Findings>;
}

const rememberMs = 10_000;
/** The service counts every call, so its answer is remembered for longer. */
const rememberFaceMs = 30_000;

/** The timer runs every five minutes: what is due for longer was missed more than twice. */
const overdueMs = 15 * 60_000;
/** Sixteen small queries; that all is well is remembered for so long. */
const rememberInTimeMs = 60_000;

export function createReadiness(deps: {
  face: FaceService;
  sessions: Pick<Sessions, "probe">;
  schedule: Pick<Schedule, "oldestDue">;
  images: Pick<Images, "probe">;
  now: Clock;
}): Readiness {
  const askFace = remember(() => check("face", deps.face.probe()), rememberFaceMs, deps.now);
  let wasInTime = Number.NEGATIVE_INFINITY;

  async function oldestOverdue(): Promise<string | undefined> {
    const nowMs = deps.now();
    if (nowMs - wasInTime < rememberInTimeMs) return undefined;
    // Tables that cannot be reached are found by the check that is theirs.
    const since = await deps.schedule.oldestDue(new Date(nowMs - overdueMs).toISOString()).catch(() => undefined);
    if (since === undefined) wasInTime = nowMs;
    return since;
  }

  async function look(): Promise<Findings> {
    const [overdueSince, ...checks] = await Promise.all([
      oldestOverdue(),
      check("tables", deps.sessions.probe()),
      check("blobs", deps.images.probe()),
      askFace(),
    ]);
    const failures = checks.filter((outcome) => outcome !== undefined);
    return { failures, ...(overdueSince !== undefined && { overdueSince }) };
  }

  return { look: remember(look, rememberMs, deps.now) };
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

/** Repeats the last answer while it is young. One question at a time: callers meanwhile share its answer. */
function remember<T>(ask: () => Promise<T>, forMs: number, now: Clock): () => Promise<T> {
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
