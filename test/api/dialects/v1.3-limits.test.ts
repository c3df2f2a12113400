import assert from "node:assert/strict";
import { test } from "node:test";
import { type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import { assertError, errorOf } from "../support/app-client.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { createIn, dialectOf, dialects, openIn, readEntries } from "./dialects.ts";

/** Limits of attempts: the same for callers whether the upstream version has them or not. */

const v13 = dialectOf("v1.3-preview.1");

await describeUpstreams("limits of attempts", {}, (upstream, { stack, app, emulatorState, control, play: attempt }) => {
  const hasLimit = upstream === v13.version;
  const open = (kind: SessionKind, more: object = {}, dialect = v13) => openIn(dialect, app, kind, more);
  const play = (session: { sessionId: string; authToken: string }, scenario: string) => attempt(session, { scenario });

  /** The session as a caller of each dialect sees it. Every reading has the same attempts. */
  async function readEverywhere(kind: SessionKind, sessionId: string) {
    const readings = [];
    for (const reader of dialects) {
      const { status, body } = await app.send(`${reader.sessions(kind)}/${sessionId}`);
      assert.equal(status, 200, `${reader.version}: ${JSON.stringify(body)}`);
      readings.push({ reader, ...reader.readSession(kind, body) });
    }
    return readings;
  }

  async function isLive(sessionId: string): Promise<boolean> {
    return (await emulatorState()).sessions.some((session) => session.sessionId === sessionId);
  }

  for (const kind of sessionKinds) {
    for (const limit of [undefined, 1, 2, 3]) {
      const allowed = limit ?? 1;
      test(`${kind}, ${limit ?? "no number given"}: ${allowed} failed attempts end the session`, async () => {
        const session = await open(kind, { numberOfClientAttemptsAllowed: limit });
        const { sessionId } = session;
        const first = await app.session(sessionId);
        assert.deepEqual([first.attemptsLeft, first.nextAction, first.final], [allowed, "wait", false]);
        for (let made = 1; made <= allowed; made += 1) {
          assert.equal(errorOf(await play(session, "TimedOut")).code, "TimedOut");
          const { attempts, attemptsLeft, nextAction, final, decision } = await app.settle(sessionId);
          assert.deepEqual(
            { attempts, attemptsLeft, nextAction, final, decision },
            {
              attempts: made,
              attemptsLeft: allowed - made,
              nextAction: made < allowed ? "retry" : "newSession",
              final: made === allowed,
              decision: "inconclusive",
            },
          );
        }
        assert.deepEqual((await app.session(sessionId)).reasons, ["AttemptsFailed"]);
        // Without a limit at the service, the app has revoked the token.
        const { code } = errorOf(await play(session, "realface"));
        assert.equal(code, hasLimit ? "MaxAttemptsExceeded" : "SessionNotFound");
        assert.equal(await isLive(sessionId), hasLimit);

        for (const { reader, status, attempts } of await readEverywhere(kind, sessionId)) {
          assert.equal(status, reader.isPreview ? "ResultAvailable" : "Failed", reader.version);
          const failed = Array(reader.isPreview ? 1 : allowed).fill({ errorCode: "TimedOut" });
          assert.deepEqual(attempts, failed, reader.version);
        }
        assert.equal((await app.session(sessionId)).status, "Failed");
      });
    }

    test(`${kind}: a result of the only attempt`, async () => {
      const session = await open(kind, { numberOfClientAttemptsAllowed: undefined });
      const { sessionId } = session;
      assert.equal((await play(session, "realface")).status, 200);
      const first = await readEverywhere(kind, sessionId);
      const resource = await app.session(sessionId);
      assert.deepEqual(
        [resource.decision, resource.status, resource.attemptsLeft, resource.nextAction],
        ["accepted", "Succeeded", 0, "done"],
      );
      assert.deepEqual(await readEverywhere(kind, sessionId), first);
      for (const { reader, status, attempts } of first) {
        assert.equal(status, reader.doneStatus);
        assert.equal(attempts.length, 1);
        assert.equal(attempts[0]?.decision, "realface");
        if (!reader.isPreview) continue;
        const audit = await app.send(`${reader.sessions(kind)}/${sessionId}/audit`);
        assert.deepEqual(
          readEntries(audit.body).map(({ attempt }) => attempt),
          attempts,
        );
      }
      const digest = first.at(-1)?.attempts[0]?.digest;
      const settled = await app.settle(sessionId, { digest });
      assert.deepEqual(settled.reasons.includes("ClientDigestMissing"), false);
    });

    for (const remover of dialects) {
      test(`${kind}, ${remover.version}: a used-up session is deleted once, and its outcome stays`, async () => {
        const session = await open(kind, { numberOfClientAttemptsAllowed: 1 });
        await play(session, "realface");
        const { decision } = await app.settle(session.sessionId);
        const path = `${remover.sessions(kind)}/${session.sessionId}`;
        assert.equal((await app.send(path, { method: "DELETE" })).status, remover.deletedStatus);
        assertError(await app.send(path, { method: "DELETE" }), 404, "SessionNotFound");
        assertError(await app.send(path), 404, "SessionNotFound");
        assert.equal(await isLive(session.sessionId), false);
        const kept = await app.session(session.sessionId);
        assert.deepEqual([kept.status, kept.decision, decision], ["Canceled", "accepted", "accepted"]);
      });
    }
  }

  const withoutLimit = hasLimit ? test.skip : test;
  withoutLimit("attempts beyond the limit before the first reading -> they do not count", async () => {
    for (const [counted, further, decision, status] of [
      ["TimedOut", "realface", "inconclusive", "Failed"],
      ["realface", "spoofface", "accepted", "Succeeded"],
      ["spoofface", "realface", "rejected", "Succeeded"],
    ] as const) {
      const session = await open("liveness", { numberOfClientAttemptsAllowed: 1 });
      for (const scenario of [counted, further]) await play(session, scenario);
      const settled = await app.settle(session.sessionId);
      assert.deepEqual([settled.decision, settled.status, settled.final], [decision, status, true]);
      for (const reading of await readEverywhere("liveness", session.sessionId)) {
        const [attempt, ...others] = reading.attempts;
        assert.deepEqual([attempt?.decision ?? attempt?.errorCode, others], [counted, []], reading.reader.version);
      }
      const entries = await app.send(`api/sessions/${session.sessionId}/audit-entries`);
      assert.equal((entries.body as { value: unknown[] }).value.length, 2);
    }
  });

  test("older dialects keep the attempts that their clients rely on", async () => {
    for (const dialect of dialects.slice(0, 3)) {
      const session = await open("liveness", {}, dialect);
      for (const [scenario, attemptsLeft] of [
        ["TimedOut", 2],
        ["NoFaceDetected", 1],
        ["realface", 0],
      ] as const) {
        await play(session, scenario);
        const settled = await app.settle(session.sessionId);
        assert.equal(settled.attemptsLeft, attemptsLeft, dialect.version);
      }
      const { decision, attempts } = await app.session(session.sessionId);
      assert.deepEqual([decision, attempts], ["accepted", 3]);
      assert.equal(await isLive(session.sessionId), true);
    }
  });

  test("the timer ends a used-up session like any other", async () => {
    const read = await open("liveness", { numberOfClientAttemptsAllowed: 1 });
    const unread = await open("liveness", { numberOfClientAttemptsAllowed: 1 });
    for (const session of [read, unread]) await play(session, "TimedOut");
    await app.settle(read.sessionId);
    await control("/clock", { advanceSeconds: 3600 });
    assert.equal((await stack.app.runFunction("maintainSessions")).status, "Succeeded");
    for (const { sessionId } of [read, unread]) {
      const { decision, status, attempts, final } = await app.session(sessionId);
      assert.deepEqual([decision, status, attempts, final], ["inconclusive", "Failed", 1, true]);
    }
    await control("/clock", { advanceSeconds: 48 * 3600 });
    assert.equal((await stack.app.runFunction("maintainSessions")).status, "Succeeded");
    for (const { sessionId } of [read, unread]) {
      assertError(await app.send(`${v13.sessions("liveness")}/${sessionId}`), 404, "SessionNotFound");
      assert.equal((await app.session(sessionId)).status, "Failed");
    }
  });

  test("a number outside of 1 to 3 -> 400 that names the field", async () => {
    for (const kind of sessionKinds) {
      const answer = await createIn(v13, app, kind, { numberOfClientAttemptsAllowed: 4 });
      assertError(answer, 400, "InvalidRequestBody");
      assert.equal(errorOf(answer).details?.[0]?.target, "numberOfClientAttemptsAllowed");
    }
  });
});
