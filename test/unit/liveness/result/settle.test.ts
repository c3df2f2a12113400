import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { Attempt, SessionKind, SessionState } from "../../../../src/face/model.ts";
import type { SessionRecord } from "../../../../src/liveness/model/session.ts";
import type { Observation, RecordContext } from "../../../../src/liveness/result/record-result.ts";
import { recordResult, settle } from "../../../../src/liveness/result/record-result.ts";
import { play } from "../../fakes/face-service.ts";
import { newRecord, seedWorld } from "../../fakes/seed.ts";
import { startOfTime, type World } from "../../fakes/world.ts";
import { attempts, failed } from "./evidence.ts";

const minute = 60_000;
const digest = "q83vEjRWeA==";
const real = { livenessDecision: "realface", digest };
const spoof = { livenessDecision: "spoofface", digest };

const fresh = newRecord(startOfTime);
const soon = startOfTime + minute;
const soonOn = new Date(soon).toISOString();
/** More than two minutes after the end of the token. */
const late = Date.parse(fresh.tokenExpiresOn) + 2 * minute + 1;

/** The response of the service a minute after the creation. */
function observed(made: Attempt[], status = "Succeeded", more: Partial<Observation> = {}): Observation {
  const state: SessionState = { sessionId: fresh.sessionId, status, attempts: made };
  return { state, attempts: made, nowMs: soon, rules: { requireClientDigest: false }, ...more };
}

/** The service no longer knows the session; `known` are the attempts of the audit trail. */
function forgotten(known: Attempt[] = [], more: Partial<Observation> = {}): Observation {
  return { ...observed(known, "", more), state: undefined };
}

function settled(record: SessionRecord, ...seen: Observation[]): SessionRecord {
  return seen.reduce((known, next) => settle(known, next) ?? known, record);
}

/** Status, number of attempts, decision and reasons, as text; `open` if the record is not final. */
const outcomeOf = ({ status, attempts: count, final, decision, reasons }: SessionRecord) =>
  [status, count, decision, ...reasons, ...(final ? [] : ["open"])].join(" ");

describe("settle", () => {
  test("first result -> decision, reasons and times are recorded", () => {
    assert.deepEqual(settle(fresh, observed(attempts(real))), {
      ...{ ...fresh, status: "Succeeded", attempts: 1, final: true, startedOn: soonOn, settledOn: soonOn },
      ...{ decision: "accepted", reasons: ["RealFace", "ClientDigestMissing"] },
    });
  });

  test("same observation repeated -> no change", () => {
    for (const seen of [
      observed(attempts(real)),
      observed(attempts(failed), "Failed"),
      observed([], "Running"),
      observed([], "NotStarted", { nowMs: late }),
      observed(attempts(real), "Succeeded", { digest, clientError: "battery" }),
      observed(attempts(real), "Succeeded", { revoking: true }),
      forgotten(),
    ]) {
      const record = settled(fresh, seen);
      assert.notEqual(record, fresh);
      assert.equal(settle(record, seen), undefined);
      assert.equal(settle(record, { ...seen, nowMs: late + minute }) === undefined, record.final);
    }
  });

  test("session started -> start time of the service is kept", () => {
    const started = observed([], "Running");
    assert.equal(settled(fresh, started).startedOn, undefined);
    const sessionStartDateTime = "2026-03-01T12:00:30Z";
    const { sessionId } = fresh;
    const state = { sessionId, status: "Running", attempts: [], sessionStartDateTime };
    const record = settled(fresh, { ...started, state });
    assert.equal(record.startedOn, sessionStartDateTime);
    assert.equal(settled(record, observed(attempts(real))).startedOn, sessionStartDateTime);
  });

  test("failed attempts -> inconclusive, final after the third, replaced by a result", () => {
    const once = settled(fresh, observed(attempts(failed), "Failed"));
    assert.equal(outcomeOf(once), "Failed 1 inconclusive AttemptsFailed open");
    assert.equal(once.settledOn, undefined);
    const thrice = settled(once, observed(attempts(failed, failed, failed), "Failed"));
    assert.equal(outcomeOf(thrice), "Failed 3 inconclusive AttemptsFailed");
    assert.equal(settled(once, observed(attempts(failed, real))).decision, "accepted");
  });
});

describe("settle with a later result", () => {
  test("recorded as unused before -> replaced by the result", () => {
    const unused = settled(fresh, observed([], "NotStarted", { nowMs: late }));
    assert.deepEqual(unused.reasons, ["SessionUnused"]);
    const record = settled(unused, observed(attempts(real), "Succeeded", { nowMs: late + minute }));
    assert.equal(outcomeOf(record), "Succeeded 1 accepted RealFace ClientDigestMissing");
    assert.equal(record.settledOn, new Date(late + minute).toISOString());
  });

  test("recorded with a result before -> replaced by the later result", () => {
    const record = settled(fresh, observed(attempts(real)), observed(attempts(real, spoof)));
    assert.equal(outcomeOf(record), "Succeeded 2 rejected SpoofDetected");
  });
});

describe("settle after the end of the session", () => {
  test("no attempts -> Expired and SessionUnused", () => {
    for (const seen of [observed([], "NotStarted", { nowMs: late }), forgotten(), forgotten([], { nowMs: late })]) {
      assert.equal(outcomeOf(settled(fresh, seen)), "Expired 0 inconclusive SessionUnused");
    }
  });

  test("two minutes after the end of the token -> final, not earlier", () => {
    const dueOn = Date.parse(fresh.tokenExpiresOn) + 2 * minute;
    assert.equal(settle(fresh, observed([], "NotStarted", { nowMs: dueOn - 1 })), undefined);
    assert.equal(settled(fresh, observed([], "NotStarted", { nowMs: dueOn })).final, true);
  });

  test("failed attempt recorded before, unknown to the service -> final AttemptsFailed", () => {
    const record = settled(fresh, observed(attempts(failed), "Failed"), forgotten(attempts(failed), { nowMs: late }));
    assert.equal(outcomeOf(record), "Failed 1 inconclusive AttemptsFailed");
  });
});

test("settle of a deleted session: any observation -> Canceled, and stays so, with the decision of its attempts", () => {
  for (const [seen, decision] of [
    [observed([], "NotStarted"), "inconclusive"],
    [observed(attempts(real)), "accepted"],
    [forgotten(), "inconclusive"],
  ] as const) {
    const record = settled(fresh, { ...seen, revoking: true });
    assert.deepEqual([record.status, record.final, record.decision], ["Canceled", true, decision]);
    assert.equal(settled(record, observed(attempts(real, real))).status, "Canceled");
    assert.equal(settled(record, forgotten([...seen.attempts])).status, "Canceled");
  }
});

describe("settle with the report of the client", () => {
  test("digest -> recorded with a result, dropped without one", () => {
    assert.equal(settled(fresh, observed(attempts(real), "Succeeded", { digest })).clientDigest, digest);
    const early = settled(fresh, observed(attempts(failed), "Failed", { digest }));
    assert.equal(early.clientDigest, undefined);
    assert.deepEqual(settled(early, observed(attempts(failed, real))).reasons, ["RealFace", "ClientDigestMissing"]);
  });

  test("digest recorded -> confirms the same attempt later, not a further one", () => {
    const confirmed = settled(fresh, observed(attempts(real), "Succeeded", { digest }));
    assert.deepEqual([confirmed.decision, confirmed.reasons], ["accepted", ["RealFace"]]);
    assert.equal(settle(confirmed, observed(attempts(real))), undefined);
    const next = settled(confirmed, observed(attempts(real, { ...real, digest: "of-the-second" })));
    assert.deepEqual(next.reasons, ["RealFace", "ClientDigestMissing"]);
  });

  test("digest repeated after a further attempt -> no mismatch, confirms only its own attempt", () => {
    const second = { ...real, digest: "of-the-second" };
    const uncertain = { ...real, livenessDecision: "uncertain" };
    const once = settled(fresh, observed(attempts(uncertain), "Succeeded", { digest }));
    const repeated = settled(once, observed(attempts(uncertain, second), "Succeeded", { digest }));
    assert.deepEqual([repeated.decision, repeated.reasons], ["accepted", ["RealFace", "ClientDigestMissing"]]);
    const report = (next: string) => observed(attempts(uncertain, second), "Succeeded", { digest: next });
    assert.deepEqual(settled(repeated, report("of-the-second")).reasons, ["RealFace"]);
    assert.deepEqual(settled(once, report("another")).reasons, ["ClientDigestMismatch"]);
  });

  test("client error -> inconclusive with ClientError, replaced by a result", () => {
    const record = settled(fresh, observed([], "NotStarted", { clientError: "CameraDenied" }));
    assert.equal(outcomeOf(record), "NotStarted 0 inconclusive ClientError open");
    assert.equal(record.clientError, "CameraDenied");
    assert.equal(settled(record, observed(attempts(real))).decision, "accepted");
  });
});

const anyDigest = fc.constantFrom("c2VydmVy", "b3RoZXI=");
const result = fc.record(
  {
    livenessDecision: fc.constantFrom("realface", "spoofface", "uncertain"),
    digest: anyDigest,
    verifyImageHash: fc.constantFrom("aa", "bb"),
    verifyResult: fc.record({ matchConfidence: fc.constantFrom(0.2, 0.8), isIdentical: fc.boolean() }),
  },
  { requiredKeys: ["livenessDecision"], noNullPrototype: true },
);
const end: fc.Arbitrary<Pick<Attempt, "result" | "error">> = fc.oneof(
  result.map((outcome) => ({ result: outcome })),
  fc.constant({ error: { code: "TimedOut", message: "Too slow." } }),
);
const occasion: fc.Arbitrary<RecordContext> = fc.record(
  { digest: anyDigest, clientError: fc.constantFrom("CameraDenied", "Battery"), revoking: fc.boolean() },
  { requiredKeys: [], noNullPrototype: true },
);

/** What happens to a session: an attempt, a reading of the result, time, or the service forgets it. */
const event = fc.oneof(
  end.map((attempt) => ({ attempt })),
  ...[1, 2].map(() => occasion.map((look) => ({ look }))),
  fc.constantFrom(1, 15, 3000).map((minutes) => ({ minutes })),
  fc.boolean().map((forgetsOnce) => ({ forgetsOnce })),
);

const story = fc.record({
  kind: fc.constantFrom<SessionKind>("liveness", "livenessWithVerify"),
  held: fc.boolean(),
  events: fc.array(event, { maxLength: 12 }),
});

/** Plays stories, and passes each record with its predecessor to `check`. */
function testStories(title: string, check: (before: SessionRecord, after: SessionRecord, world: World) => void): void {
  const property = fc.asyncProperty(story, async ({ kind, held, events }) => {
    const { world, sessionId } = await seedWorld({ kind, ...(held && { referenceImageHash: "aa" }), threshold: 0.5 });
    const { deps } = world.start();
    let returning: ReturnType<typeof world.service.live.get>;
    for (const happening of events) {
      if ("attempt" in happening && world.service.live.has(sessionId))
        play(world.service, sessionId, happening.attempt);
      if ("minutes" in happening) world.advance({ minutes: happening.minutes });
      if ("forgetsOnce" in happening) {
        if (happening.forgetsOnce) returning = world.service.live.get(sessionId);
        world.service.live.delete(sessionId);
      }
      if ("look" in happening) {
        const before = world.record();
        const stored = await deps.sessions.find(sessionId);
        assert.ok(stored);
        await recordResult(deps, stored, happening.look);
        check(before, world.record(), world);
        if (returning !== undefined) world.service.live.set(sessionId, returning);
        returning = undefined;
      }
    }
  });
  test(title, () => fc.assert(property, { numRuns: 500 }));
}

const isSwap = (reason: string) => reason === "ClientDigestMismatch" || reason === "VerifyImageHashMismatch";

testStories("any events -> recorded values are never lost", (before, after) => {
  assert.ok(after.attempts >= before.attempts);
  if (before.decision !== undefined) assert.notEqual(after.decision, undefined);
  if (before.final) assert.equal(after.final, true);
  if (before.status === "Canceled") assert.equal(after.status, "Canceled");
  for (const name of ["startedOn", "settledOn", "clientDigest", "clientError"] as const) {
    if (before[name] !== undefined) assert.notEqual(after[name], undefined);
  }
  for (const reason of before.reasons.filter(isSwap)) assert.ok(after.reasons.includes(reason));
  // A decision based on a result is replaced only by another result.
  const decidedBy = (record: SessionRecord) =>
    !["AttemptsFailed", "ClientError", "SessionUnused"].includes(record.reasons[0] ?? "");
  if (before.decision !== undefined && decidedBy(before)) assert.ok(decidedBy(after));
});

testStories("any events -> one audit entry for each recorded attempt", (_before, { attempts }, world) => {
  const ids = world.tables.entries.all().map(({ value }) => value.entryId);
  const expected = Array.from({ length: attempts }, (_, index) => String(index + 1));
  assert.deepEqual(ids, expected);
});
