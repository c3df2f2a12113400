import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { apiVersions, type SessionKind } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { assertError, control, createAppClient, emulatorState, errorOf, playAttempt } from "../support/app-client.ts";
import { type Dialect, dialectOf, dialects, readEntries } from "./dialects.ts";

/** Limits of attempts: the same for callers whether the upstream version has them or not. */

const image = makeImage();
const kinds: SessionKind[] = ["liveness", "livenessWithVerify"];
const v13 = dialectOf("v1.3-preview.1");

for (const upstream of apiVersions) {
  const hasLimit = upstream === "v1.3-preview.1";

  describe(`limits of attempts, upstream version ${upstream}`, () => {
    let stack: Stack;
    let app: ReturnType<typeof createAppClient>;
    before(async () => {
      stack = await startStack({ env: { FACE_API_VERSION: upstream } });
      app = createAppClient(stack.url);
    });
    after(() => stack.stop());

    /** @param more undefined values remove a field of every creation. */
    async function create(kind: SessionKind, more: object, dialect: Dialect = v13) {
      const all = { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), ...more };
      const entries = Object.entries(dialect.fields(all)).filter(([, value]) => value !== undefined);
      const fields = Object.fromEntries(entries);
      return app.send(
        dialect.sessions(kind),
        kind === "liveness" ? { json: fields } : { body: dialect.form(fields, image) },
      );
    }

    async function open(kind: SessionKind, more: object = {}, dialect: Dialect = v13) {
      const answer = await create(kind, more, dialect);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return dialect.readCreated(kind, answer.body);
    }

    const play = (session: { sessionId: string; authToken: string }, scenario: string) =>
      playAttempt(stack.emulator, session, { scenario });

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
      return (await emulatorState(stack)).sessions.some((session) => session.sessionId === sessionId);
    }

    for (const kind of kinds) {
      for (const [limit, allowed] of [
        [undefined, 1],
        [1, 1],
        [2, 2],
        [3, 3],
      ] as const) {
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
      await control(stack.emulator, "/clock", { advanceSeconds: 3600 });
      assert.equal((await stack.app.runFunction("maintainSessions")).status, "Succeeded");
      for (const { sessionId } of [read, unread]) {
        const { decision, status, attempts, final } = await app.session(sessionId);
        assert.deepEqual([decision, status, attempts, final], ["inconclusive", "Failed", 1, true]);
      }
      await control(stack.emulator, "/clock", { advanceSeconds: 48 * 3600 });
      assert.equal((await stack.app.runFunction("maintainSessions")).status, "Succeeded");
      for (const { sessionId } of [read, unread]) {
        assertError(await app.send(`${v13.sessions("liveness")}/${sessionId}`), 404, "SessionNotFound");
        assert.equal((await app.session(sessionId)).status, "Failed");
      }
    });

    test("numbers outside of 1 to 3, and other texts -> 400 that names the field", async () => {
      for (const kind of kinds) {
        for (const numberOfClientAttemptsAllowed of [
          0,
          4,
          -1,
          1.5,
          "two",
          ...(kind === "liveness" ? ["0", "4", null] : [""]),
        ]) {
          const answer = await create(kind, { numberOfClientAttemptsAllowed });
          assertError(answer, 400, "InvalidRequestBody");
          assert.deepEqual(
            errorOf(answer).details?.map(({ target }) => target),
            ["numberOfClientAttemptsAllowed"],
          );
        }
      }
    });
  });
}
