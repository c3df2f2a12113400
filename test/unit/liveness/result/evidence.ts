import type { Attempt, AttemptError, AttemptResult } from "../../../../src/face/model.ts";
import type { Evidence } from "../../../../src/liveness/result/decision.ts";

/** How an attempt ended: with a result, or with an error. */
export type ClientReport = AttemptResult | { error: AttemptError };

export const failed: ClientReport = { error: { code: "FaceTrackingFailed", message: "The face was lost." } };

/** Attempts in the order in which they were made. */
export function attempts(...told: ClientReport[]): Attempt[] {
  return told.map((end, index) => ({
    attemptId: index + 1,
    ...("error" in end ? { attemptStatus: "Failed", error: end.error } : { attemptStatus: "Succeeded", result: end }),
  }));
}

/** What there is to judge by, where nothing else is said: a liveness session under way, without a digest. */
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
