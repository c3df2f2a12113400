import { ApiError } from "../errors.ts";
import type { Clock, FaceService, ImageStore, SessionStore } from "./ports.ts";

export interface NotReady {
  part: "tables" | "blobs" | "face";
  code: string;
  /** For the log. */
  cause: string;
}

export interface Readiness {
  /** What the app needs and does not reach just now; empty when all is well. */
  failures(): Promise<NotReady[]>;
  /**
   * Since when a session has been due that the timer should have looked at long ago: it does not run, or cannot keep up.
   * Undefined where it is in time, or where nothing can be told.
   */
  overdueSince(): Promise<string | undefined>;
}

/** The service counts every call, so its answer is remembered for so long; storage is asked each time. */
const rememberFaceMs = 30_000;

/** The timer runs every five minutes: what is due for longer was missed more than twice. */
const overdueMs = 15 * 60_000;
/** Sixteen small queries; that all is well is remembered for so long. */
const rememberInTimeMs = 60_000;

export function createReadiness(deps: {
  face: FaceService;
  sessions: SessionStore;
  images: ImageStore;
  now: Clock;
}): Readiness {
  const askFace = remember(() => deps.face.probe(), rememberFaceMs, deps.now);
  let wasInTime = Number.NEGATIVE_INFINITY;
  return {
    async overdueSince() {
      const nowMs = deps.now();
      if (nowMs - wasInTime < rememberInTimeMs) return undefined;
      // Tables that cannot be reached are told of by the check that is theirs.
      const since = await deps.sessions.oldestDue(new Date(nowMs - overdueMs).toISOString()).catch(() => undefined);
      if (since === undefined) wasInTime = nowMs;
      return since;
    },
    async failures() {
      const outcomes = await Promise.all([
        check("tables", deps.sessions.probe()),
        check("blobs", deps.images.probe()),
        check("face", askFace()),
      ]);
      return outcomes.filter((outcome) => outcome !== undefined);
    },
  };
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

/** Answers the last outcome again while it is young; callers at the same time share one question. */
function remember(ask: () => Promise<void>, forMs: number, now: Clock): () => Promise<void> {
  let asked: { at: number; outcome: Promise<void> } | undefined;
  return () => {
    if (asked === undefined || now() - asked.at >= forMs) asked = { at: now(), outcome: ask() };
    return asked.outcome;
  };
}
