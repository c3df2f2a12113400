import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, SessionState } from "../../../../src/face/model.ts";
import type { SessionRecord } from "../../../../src/liveness/model/session.ts";
import { type Observation, settle } from "../../../../src/liveness/result/record-result.ts";
import { newRecord } from "../../fakes/seed.ts";
import { startOfTime } from "../../fakes/world.ts";
import { attempts, failed } from "./evidence.ts";

const minute = 60_000;
const digest = "q83vEjRWeA==";
const real = { livenessDecision: "realface", digest };
const spoof = { livenessDecision: "spoofface", digest };

const fresh = newRecord(startOfTime);
const soon = startOfTime + minute;
const soonOn = new Date(soon).toISOString();
/** The token has ended more than two minutes ago. */
const late = Date.parse(fresh.tokenExpiresOn) + 2 * minute + 1;

/** What the service tells, a minute after the creation. */
function told(made: Attempt[], status = "Succeeded", more: Partial<Observation> = {}): Observation {
  const state: SessionState = { sessionId: fresh.sessionId, status, attempts: made };
  return { state, attempts: made, nowMs: soon, rules: { requireClientDigest: false }, ...more };
}

/** The service does not know the session any more; what was recorded of it still stands in the audit trail. */
function forgotten(known: Attempt[] = [], more: Partial<Observation> = {}): Observation {
  return { ...told(known, "", more), state: undefined };
}

function settled(record: SessionRecord, ...seen: Observation[]): SessionRecord {
  return seen.reduce((known, next) => settle(known, next) ?? known, record);
}

const outcomeOf = ({ status, attempts: count, final, decision, reasons }: SessionRecord) => ({
  ...{ status, attempts: count, final, reasons },
  ...(decision !== undefined && { decision }),
});

describe("what is seen of a session", () => {
  test("is recorded as its outcome", () => {
    const record = settle(fresh, told(attempts(real)));
    assert.deepEqual(record, {
      ...fresh,
      status: "Succeeded",
      attempts: 1,
      final: true,
      decision: "accepted",
      reasons: ["RealFace", "ClientDigestMissing"],
      startedOn: soonOn,
      settledOn: soonOn,
    });
  });

  test("is nothing new as long as nothing happens", () => {
    assert.equal(settle(fresh, told([], "NotStarted")), undefined);
  });

  test("is nothing new the second time, whenever that is", () => {
    for (const seen of [
      told(attempts(real)),
      told(attempts(failed), "Failed"),
      told([], "Running"),
      told([], "NotStarted", { nowMs: late }),
      told(attempts(real), "Succeeded", { digest, clientError: "battery" }),
      told(attempts(real), "Succeeded", { revoking: true }),
      forgotten(),
    ]) {
      const record = settled(fresh, seen);
      assert.notEqual(record, fresh);
      assert.equal(settle(record, seen), undefined);
      assert.equal(settle(record, { ...seen, nowMs: late + minute }) === undefined, record.final);
    }
  });

  test("may be a start, which is remembered", () => {
    const started = { ...told([], "Running"), nowMs: soon };
    assert.equal(settled(fresh, started).startedOn, undefined);
    const state = {
      sessionId: fresh.sessionId,
      status: "Running",
      attempts: [],
      sessionStartDateTime: "2026-03-01T12:00:30Z",
    };
    const record = settled(fresh, { ...started, state });
    assert.equal(record.startedOn, "2026-03-01T12:00:30Z");
    assert.equal(settled(record, told(attempts(real))).startedOn, "2026-03-01T12:00:30Z");
  });

  test("may be a failure that is not the last word", () => {
    const once = settled(fresh, told(attempts(failed), "Failed"));
    const outcome = { status: "Failed", final: false, decision: "inconclusive", reasons: ["AttemptsFailed"] };
    assert.deepEqual(outcomeOf(once), { ...outcome, attempts: 1 });
    assert.equal(once.settledOn, undefined);
    const thrice = settled(once, told(attempts(failed, failed, failed), "Failed"));
    assert.deepEqual(outcomeOf(thrice), { ...outcome, attempts: 3, final: true });
    assert.equal(settled(once, told(attempts(failed, real))).decision, "accepted");
  });
});

describe("a later result", () => {
  test("replaces an outcome that had none", () => {
    const unused = settled(fresh, told([], "NotStarted", { nowMs: late }));
    assert.deepEqual(unused.reasons, ["SessionUnused"]);
    const record = settled(unused, told(attempts(real), "Succeeded", { nowMs: late + minute }));
    assert.deepEqual(outcomeOf(record), {
      ...{ status: "Succeeded", attempts: 1, final: true, decision: "accepted" },
      reasons: ["RealFace", "ClientDigestMissing"],
    });
    assert.equal(record.settledOn, new Date(late + minute).toISOString());
  });

  test("replaces an earlier one", () => {
    const record = settled(fresh, told(attempts(real)), told(attempts(real, spoof)));
    assert.deepEqual(outcomeOf(record), {
      ...{ status: "Succeeded", attempts: 2, final: true, decision: "rejected", reasons: ["SpoofDetected"] },
    });
  });
});

describe("a session whose time is over", () => {
  test("has expired, and was not used", () => {
    for (const seen of [told([], "NotStarted", { nowMs: late }), forgotten(), forgotten([], { nowMs: late })]) {
      assert.deepEqual(outcomeOf(settled(fresh, seen)), {
        ...{ status: "Expired", attempts: 0, final: true, decision: "inconclusive", reasons: ["SessionUnused"] },
      });
    }
  });

  test("is over as soon as the timer collects it, and not before", () => {
    const dueOn = Date.parse(fresh.tokenExpiresOn) + 2 * minute;
    assert.equal(settle(fresh, told([], "NotStarted", { nowMs: dueOn - 1 })), undefined);
    assert.equal(settled(fresh, told([], "NotStarted", { nowMs: dueOn })).final, true);
  });

  test("may have failed", () => {
    const record = settled(fresh, told(attempts(failed), "Failed"), forgotten(attempts(failed), { nowMs: late }));
    assert.deepEqual(outcomeOf(record), {
      ...{ status: "Failed", attempts: 1, final: true, decision: "inconclusive", reasons: ["AttemptsFailed"] },
    });
  });
});

describe("a session that is deleted", () => {
  test("is canceled, for good, with the outcome that it had", () => {
    for (const [seen, decision] of [
      [told([], "NotStarted"), "inconclusive"],
      [told(attempts(real)), "accepted"],
      [forgotten(), "inconclusive"],
    ] as const) {
      const record = settled(fresh, { ...seen, revoking: true });
      assert.deepEqual([record.status, record.final, record.decision], ["Canceled", true, decision]);
      assert.equal(settled(record, told(attempts(real, real))).status, "Canceled");
      assert.equal(settled(record, forgotten([...seen.attempts])).status, "Canceled");
    }
  });
});

describe("what the app tells", () => {
  test("is a digest that belongs to a result, or to none yet", () => {
    assert.equal(settled(fresh, told(attempts(real), "Succeeded", { digest })).clientDigest, digest);
    const early = settled(fresh, told(attempts(failed), "Failed", { digest }));
    assert.equal(early.clientDigest, undefined);
    assert.deepEqual(settled(early, told(attempts(failed, real))).reasons, ["RealFace", "ClientDigestMissing"]);
  });

  test("is remembered, and confirms the same attempt whenever it is looked at", () => {
    const confirmed = settled(fresh, told(attempts(real), "Succeeded", { digest }));
    assert.deepEqual([confirmed.decision, confirmed.reasons], ["accepted", ["RealFace"]]);
    assert.equal(settle(confirmed, told(attempts(real))), undefined);
    const next = settled(confirmed, told(attempts(real, { ...real, digest: "of-the-second" })));
    assert.deepEqual(next.reasons, ["RealFace", "ClientDigestMissing"]);
  });

  test("is no swap when it is told again after a further attempt, and confirms no other attempt than its own", () => {
    const second = { ...real, digest: "of-the-second" };
    const uncertain = { ...real, livenessDecision: "uncertain" };
    const once = settled(fresh, told(attempts(uncertain), "Succeeded", { digest }));
    const repeated = settled(once, told(attempts(uncertain, second), "Succeeded", { digest }));
    assert.deepEqual([repeated.decision, repeated.reasons], ["accepted", ["RealFace", "ClientDigestMissing"]]);
    const confirmed = settled(repeated, told(attempts(uncertain, second), "Succeeded", { digest: "of-the-second" }));
    assert.deepEqual(confirmed.reasons, ["RealFace"]);
    const swapped = settled(once, told(attempts(uncertain, second), "Succeeded", { digest: "another" }));
    assert.deepEqual(swapped.reasons, ["ClientDigestMismatch"]);
  });

  test("is an error of the client, which is no spoof", () => {
    const record = settled(fresh, told([], "NotStarted", { clientError: "CameraDenied" }));
    assert.deepEqual(outcomeOf(record), {
      ...{ status: "NotStarted", attempts: 0, final: false, decision: "inconclusive", reasons: ["ClientError"] },
    });
    assert.equal(record.clientError, "CameraDenied");
    assert.equal(settled(record, told(attempts(real))).decision, "accepted");
  });
});
