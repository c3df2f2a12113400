import { sessionNotFinished, sessionNotFound } from "../../api-errors.ts";
import { type Caller, mayUse } from "../model/caller.ts";
import type { SessionRecord } from "../model/session.ts";
import { findSession } from "./get-session.ts";
import { type RecordResultDeps, recordResult } from "./record-result.ts";

/** What the app reports from its device. */
export interface ClientReport {
  digest?: string;
  deviceCorrelationId?: string;
  clientError?: string;
}

/** An attempt takes about twelve seconds, in the active mode up to twenty. */
const retryAfterSeconds = 5;

/**
 * Fetches the result, checks it against the app's report, and records outcome and audit entries.
 * Repeating it gives the same answer, and never takes back what was found out before.
 *
 * @throws ApiError 404 `SessionNotFound`; 409 `DeviceMismatch` where the session is another device's; 409
 *   `SessionNotFinished` while no attempt has ended and the client has not given up.
 */
export async function settleSession(
  deps: RecordResultDeps,
  caller: Caller,
  sessionId: string,
  report: ClientReport,
): Promise<SessionRecord> {
  // Most often the process that created it settles it too, and need not read what it has written.
  const recalled = deps.sessions.recall(sessionId);
  const stored = recalled && mayUse(caller, recalled.record) ? recalled : await findSession(deps, caller, sessionId);
  const recorded = await recordResult(deps, stored, report);
  if (recorded.isErased) throw sessionNotFound();
  const { record } = recorded.stored;
  if (record.attempts === 0 && !record.final && record.clientError === undefined) {
    throw sessionNotFinished(retryAfterSeconds);
  }
  return record;
}
