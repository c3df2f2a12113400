import type { Attempt, SessionState } from "../../face/model.ts";
import type { Caller } from "../model/caller.ts";
import type { SessionRecord } from "../model/session.ts";
import { sameDigest } from "./decision.ts";

/*
 * The digest that a device sends is evidence only while its sender cannot read the service's: a caller that is not a
 * trusted service sees a digest after its own was recorded, and not before.
 */

/**
 * The attempt as the caller may see it: with its digest where the caller sent the same one, or where a wrong one has
 * rejected the session for good; otherwise without any property that could hold a digest, at whatever depth. Only trusted
 * services see which other sessions abuse monitoring has flagged.
 */
export function attemptFor(caller: Caller, record: SessionRecord, original: Attempt): Attempt {
  const attempt = caller.trusted ? original : withoutFlaggedSessions(original);
  if (seesAll(caller, record) || sameDigest(attempt.result?.digest, record.clientDigest)) return attempt;
  return withoutDigests(attempt);
}

/** The flagged sessions may be those of other people. */
function withoutFlaggedSessions(attempt: Attempt): Attempt {
  if (attempt.abuseMonitoringResult === undefined) return attempt;
  const { isAbuseDetected } = attempt.abuseMonitoringResult;
  return { ...attempt, abuseMonitoringResult: { isAbuseDetected, otherFlaggedSessions: [] } };
}

/** The fields of a session that no attempt has, as the caller may see them. */
export function sessionFieldsFor(caller: Caller, record: SessionRecord, state: SessionState): SessionState {
  const { attempts, ...fields } = state;
  return seesAll(caller, record) ? state : { ...withoutDigests(fields), attempts };
}

function seesAll(caller: Caller, { reasons }: SessionRecord): boolean {
  return caller.trusted || reasons.includes("ClientDigestMismatch");
}

/** The model requires no property of such a name, so what is left is of the same type. */
function withoutDigests<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value), (name, inner) => (/digest/i.test(name) ? undefined : inner)) as T;
}
