import type { Attempt, AttemptError, AttemptResult } from "../../../../src/face/model.ts";
import type { Evidence } from "../../../../src/liveness/result/decision.ts";

/** Outcome of an attempt: a result or an error. */
export type AttemptOutcome = AttemptResult | { error: AttemptError };

export const failed: AttemptOutcome = { error: { code: "FaceTrackingFailed", message: "The face was lost." } };

/** Attempts with these outcomes, numbered from 1. */
export function attempts(...outcomes: AttemptOutcome[]): Attempt[] {
  return outcomes.map((outcome, index) => ({
    attemptId: index + 1,
    ...("error" in outcome
      ? { attemptStatus: "Failed", error: outcome.error }
      : { attemptStatus: "Succeeded", result: outcome }),
  }));
}

/** Evidence of a liveness session. Defaults: not closed, no digest. */
export function evidence(made: readonly Attempt[], more: Partial<Evidence> = {}): Evidence {
  return {
    kind: "liveness",
    attempts: made,
    threshold: 0,
    imageFromClient: false,
    digestIsNew: false,
    requireClientDigest: false,
    clientFailed: false,
    closed: false,
    earlierReasons: [],
    ...more,
  };
}
