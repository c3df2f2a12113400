import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Attempt, SessionKind } from "../../../../src/face/model.ts";
import type { SessionRecord } from "../../../../src/liveness/model/session.ts";
import { type RecordContext, recordResult } from "../../../../src/liveness/result/record-result.ts";
import { play } from "../../fakes/face-service.ts";
import { seedWorld } from "../../fakes/seed.ts";
import type { World } from "../../fakes/world.ts";

const digest = fc.constantFrom("c2VydmVy", "b3RoZXI=");
const result = fc.record(
  {
    livenessDecision: fc.constantFrom("realface", "spoofface", "uncertain"),
    digest,
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
  { digest, clientError: fc.constantFrom("CameraDenied", "Battery"), revoking: fc.boolean() },
  { requiredKeys: [], noNullPrototype: true },
);

/** Events of a session, in any order and number. */
type Event =
  | { type: "attempt"; end: Pick<Attempt, "result" | "error"> }
  | { type: "look"; occasion: RecordContext }
  | { type: "wait"; minutes: number }
  | { type: "forget"; onlyOnce: boolean };

const event: fc.Arbitrary<Event> = fc.oneof(
  end.map((how): Event => ({ type: "attempt", end: how })),
  occasion.map((what): Event => ({ type: "look", occasion: what })),
  occasion.map((what): Event => ({ type: "look", occasion: what })),
  fc.constantFrom(1, 15, 3000).map((minutes): Event => ({ type: "wait", minutes })),
  fc.boolean().map((onlyOnce): Event => ({ type: "forget", onlyOnce })),
);

const story = fc.record({
  kind: fc.constantFrom<SessionKind>("liveness", "livenessWithVerify"),
  held: fc.boolean(),
  events: fc.array(event, { maxLength: 12 }),
});

/** Plays the events, and passes each record with its predecessor to `check`. */
async function playStory(
  { kind, held, events }: typeof story extends fc.Arbitrary<infer Story> ? Story : never,
  check: (before: SessionRecord, after: SessionRecord, world: World) => void,
): Promise<void> {
  const { world, sessionId } = await seedWorld({ kind, ...(held && { referenceImageHash: "aa" }), threshold: 0.5 });
  const { deps } = world.start();
  let returning: ReturnType<typeof world.service.live.get>;
  for (const happening of events) {
    if (happening.type === "attempt" && world.service.live.has(sessionId))
      play(world.service, sessionId, happening.end);
    if (happening.type === "wait") world.advance({ minutes: happening.minutes });
    if (happening.type === "forget") {
      if (happening.onlyOnce) returning = world.service.live.get(sessionId);
      world.service.live.delete(sessionId);
    }
    if (happening.type === "look") {
      const before = world.record();
      const stored = await deps.sessions.find(sessionId);
      assert.ok(stored);
      await recordResult(deps, stored, happening.occasion);
      check(before, world.record(), world);
      if (returning !== undefined) world.service.live.set(sessionId, returning);
      returning = undefined;
    }
  }
}

const isSwap = (reason: string) => reason === "ClientDigestMismatch" || reason === "VerifyImageHashMismatch";

test("any events -> recorded values are never lost", async () => {
  await fc.assert(
    fc.asyncProperty(story, (played) =>
      playStory(played, (before, after) => {
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
      }),
    ),
    { numRuns: 500 },
  );
});

test("any events -> one audit entry for each recorded attempt", async () => {
  await fc.assert(
    fc.asyncProperty(story, (played) =>
      playStory(played, (_before, { attempts }, world) => {
        const ids = world.tables.entries.all().map(({ value }) => value.entryId);
        const expected = Array.from({ length: attempts }, (_, index) => String(index + 1));
        assert.deepEqual(ids, expected);
      }),
    ),
    { numRuns: 500 },
  );
});
