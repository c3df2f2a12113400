import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { eventId, eventTime, retryOn } from "../../../../src/liveness/model/events.ts";
import type { Place } from "../../../../src/liveness/model/references.ts";
import type { SessionRecord } from "../../../../src/liveness/model/session.ts";
import { announce } from "../../../../src/liveness/result/announce.ts";
import { newRecord } from "../../fakes/seed.ts";
import { startOfTime } from "../../fakes/world.ts";

const place = "a-device/k_a-creation" as Place;
const occurredOn = "2026-03-01T12:00:00.000Z";
const ids = ["019ca945-0a00-7000-8000-000000000001", "019ca945-0a00-7000-8000-000000000002"];

/** Announces a change of the record. @param lockedUntil of a lockout that the outcome begins. */
function announced(before: Partial<SessionRecord>, after: Partial<SessionRecord>, lockedUntil?: string) {
  const [from, to] = [newRecord(startOfTime, before), newRecord(startOfTime, { ...before, ...after })];
  const lockout = lockedUntil === undefined ? undefined : { lockedUntil };
  return announce(from, to, { place, nowMs: startOfTime, idOf: (index) => ids[index] ?? "", lockout });
}

const outcome: Partial<SessionRecord> = { decision: "accepted", reasons: ["RealFace"], final: true, attempts: 1 };

describe("announce", () => {
  test("first decision -> event with the decision, revision 1, kept in the record", () => {
    const { record, events } = announced({ clientReferenceId: "order-7", userCorrelationId: "a-user" }, outcome);
    assert.equal(record.revision, 1);
    assert.deepEqual(record.events, [{ id: ids[0], occurredOn, place }]);
    const [event] = events;
    assert.deepEqual([event?.type, event?.subject], ["liveness.session.decided", `sessions/${record.sessionId}`]);
    assert.deepEqual(event?.data, {
      ...{ sessionId: record.sessionId, kind: "liveness", deviceCorrelationId: "a-device" },
      ...{ userCorrelationId: "a-user", clientReferenceId: "order-7" },
      ...{ decision: "accepted", reasons: ["RealFace"], final: true, revision: 1 },
    });
  });

  test("nothing but evidence changed, or still undecided -> no event, same revision", () => {
    assert.deepEqual(announced({ ...outcome, revision: 2 }, { clientDigest: "a-digest" }).events, []);
    assert.deepEqual(announced({}, { status: "Running", attempts: 1 }).events, []);
    assert.equal(announced({ ...outcome, revision: 2 }, { attempts: 2 }).record.revision, 2);
  });

  test("decision, reasons or finality changed -> next revision, earlier events stay in the record", () => {
    const earlier = [{ id: "earlier", occurredOn, place }];
    const reasons = ["RealFace", "ClientDigestMissing"];
    for (const change of [{ decision: "rejected" }, { reasons }, { final: false }] as Partial<SessionRecord>[]) {
      const { record, events } = announced({ ...outcome, revision: 3, events: earlier }, change);
      assert.deepEqual([record.revision, record.events?.length, events.length], [4, 2, 1]);
    }
  });

  test("session of a user -> the event names the owner, as a user may name any other id", () => {
    const owner = "f".repeat(64);
    const { events } = announced({ owner, countedFor: owner, clientReferenceId: "order of another" }, outcome);
    assert.equal(events[0]?.data.owner, owner);
    assert.equal(events[0]?.outcome?.owner, owner);
  });

  test("device known only after the outcome was announced -> announced again, with the device", () => {
    const elsewhere = "!session_a-creation/k_a-creation" as Place;
    const earlier = [{ id: "earlier", occurredOn, place: elsewhere }];
    const { record, events } = announced({ ...outcome, revision: 1, events: earlier }, {});
    assert.deepEqual([record.revision, events[0]?.data.deviceCorrelationId], [2, "a-device"]);
    assert.deepEqual(announced({ ...record }, {}).events, [], "once");
  });

  test("outcome of a version without revisions -> counts as the first", () => {
    assert.equal(announced(outcome, { decision: "rejected" }).record.revision, 2);
  });

  test("lockout -> a second event, which names the scope and no user", () => {
    const owner = "f".repeat(64);
    const until = "2026-03-01T12:30:00.000Z";
    const { events, record } = announced({ owner, countedFor: owner }, { ...outcome, decision: "rejected" }, until);
    assert.equal(record.events?.length, 2);
    assert.deepEqual(events[1]?.data, {
      ...{ deviceCorrelationId: "a-device", sessionId: record.sessionId },
      ...{ scope: "user", lockedUntil: until },
    });
    assert.equal(JSON.stringify(events[1]).includes(owner), false);
  });

  test("a record's secrets and personal data -> in no event", () => {
    const client = { clientDigest: "hidden-digest", clientError: "hidden-error", clientName: "hidden-client" };
    const hidden = { ...client, expectedClientIpAddress: "203.0.113.7", referenceImageHash: "hidden-hash" };
    const text = JSON.stringify(announced(hidden, outcome).events);
    for (const value of Object.values(hidden)) assert.equal(text.includes(value), false, value);
  });

  test("attempts left -> the schedule entry knows the recorded attempts; no more possible -> it is complete", () => {
    const recordedBy = (after: Partial<SessionRecord>) =>
      announced({}, { ...outcome, ...after }).events[0]?.next?.session?.recorded;
    assert.deepEqual(recordedBy({}), { attempts: 1, isComplete: false, isFlagged: false });
    assert.deepEqual(recordedBy({ attempts: 3 }), { attempts: 3, isComplete: true, isFlagged: false });
    assert.equal(recordedBy({ reasons: ["AbuseDetected"] })?.isFlagged, true);
    assert.equal(recordedBy({ final: false }), undefined);
  });
});

describe("ids of events", () => {
  test("contain their time and sort by it", () => {
    const time = fc.integer({ min: 0, max: 9_999_999_999_999 });
    fc.assert(
      fc.property(time, time, fc.uuid({ version: 4 }), fc.uuid({ version: 4 }), (one, other, first, second) => {
        const [a, b] = [eventId(one, first), eventId(other, second)];
        assert.equal(Date.parse(eventTime(a) ?? ""), one);
        if (one < other) assert.ok(a < b);
        if (one > other) assert.ok(a > b);
      }),
    );
  });

  test("other texts have no time, nor have ids after the last time that a row can have", () => {
    assert.equal(eventTime("09184e72-9fff-7000-8000-000000000000"), "2286-11-20T17:46:39.999Z");
    const later = ["09184e72-a000-7000-8000-000000000000", "ffffffff-ffff-7000-8000-000000000000"];
    for (const text of ["", "an-id", "c0ffee00-0000-4000-8000-000000000000", `${ids[0]}0`, "../..", ...later]) {
      assert.equal(eventTime(text), undefined, text);
    }
  });

  test("a retry is at its delay or up to a tenth later, always at the same time; none after the eighth", () => {
    const hours = [5 / 60, 0.5, 2, 5, 10, 14, 20, 24];
    fc.assert(
      fc.property(fc.uuid({ version: 4 }), fc.nat({ max: 7 }), (uuid, retries) => {
        const id = eventId(startOfTime, uuid);
        const delay = Date.parse(retryOn({ id }, retries, startOfTime) ?? "") - startOfTime;
        const scheduled = (hours[retries] ?? 0) * 3_600_000;
        assert.ok(delay >= scheduled && delay <= scheduled * 1.1, `${delay}`);
        assert.equal(retryOn({ id }, 8, startOfTime), undefined);
      }),
    );
  });
});
