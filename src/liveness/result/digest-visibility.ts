import type { Attempt, SessionState } from "../../face/model.ts";
import type { Caller } from "../model/caller.ts";
import type { SessionRecord } from "../model/session.ts";
import { sameDigest } from "./decision.ts";

/*
 * A digest from a device is evidence only if its sender cannot read the digest from the service. A caller that is not a
 * trusted service therefore sees a digest only after the same digest from its device was recorded.
 */

/**
 * The attempt as the caller may see it: with its digest if the caller sent the same one, or if a wrong one has rejected
 * the session; otherwise without any property named like a digest, at any depth. Only trusted services see which other
 * sessions abuse monitoring has flagged.
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

/** The session, in which the fields outside of the attempts have no digests that the caller may not see. */
export function sessionFieldsFor(caller: Caller, record: SessionRecord, state: SessionState): SessionState {
  const { attempts, ...fields } = state;
  return seesAll(caller, record) ? state : { ...withoutDigests(fields), attempts };
}

function seesAll(caller: Caller, { reasons }: SessionRecord): boolean {
  return caller.trusted || reasons.includes("ClientDigestMismatch");
}

/** The model requires no property of such a name, so the result has the same type. */
function withoutDigests<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value), (name, inner) => (/digest/i.test(name) ? undefined : inner)) as T;
}
