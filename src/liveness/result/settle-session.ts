import { sessionNotFinished, sessionNotFound } from "../../api-errors.ts";
import { type Caller, mayUse } from "../model/caller.ts";
import type { SessionRecord } from "../model/session.ts";
import { findSession } from "./get-session.ts";
import { type RecordResultDeps, recordResult } from "./record-result.ts";

/** The app's report from its device. */
export interface ClientReport {
  digest?: string;
  deviceCorrelationId?: string;
  clientError?: string;
}

/** An attempt takes about twelve seconds, and up to twenty in the mode `PassiveActive`. */
const retryAfterSeconds = 5;

/**
 * Fetches the result, checks it against the app's report, and records outcome and audit entries. A repeat returns the
 * same outcome and removes no recorded evidence.
 *
 * @throws ApiError `SessionNotFound`; `DeviceMismatch` if the session belongs to another device; `SessionNotFinished`
 *   while no attempt has ended and the client has reported no error.
 */
export async function settleSession(
  deps: RecordResultDeps,
  caller: Caller,
  sessionId: string,
  report: ClientReport,
): Promise<SessionRecord> {
  // The process that created the session often settles it too, and has its record in the cache.
  const cached = deps.sessions.cached(sessionId);
  const stored = cached && mayUse(caller, cached.record) ? cached : await findSession(deps, caller, sessionId);
  const recorded = await recordResult(deps, stored, report);
  if (recorded.isErased) throw sessionNotFound();
  const { record } = recorded.stored;
  if (record.attempts === 0 && !record.final && record.clientError === undefined) {
    throw sessionNotFinished(retryAfterSeconds);
  }
  return record;
}
