import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { clientKey, principal } from "../unit/fakes/principals.ts";
import { assertError, createAppClient, digestOf } from "./support/app-client.ts";
import { describeUpstreams } from "./support/open-stack.ts";

/** Every way in which a signed-in user can read attempts of a session. */
const readers = (sessionId: string) => [
  `face/v1.2/detectLiveness-sessions/${sessionId}`,
  ...["v1.1-preview.1", "v1.2-preview.1"].flatMap((version) => [
    `face/${version}/detectLiveness/singleModal/sessions/${sessionId}`,
    `face/${version}/detectLiveness/singleModal/sessions/${sessionId}/audit`,
  ]),
  `face/v1.2-preview.1/detectLiveness/singleModal/sessions`,
  `api/sessions/${sessionId}`,
  `api/sessions/${sessionId}/audit-entries`,
];

const env = { ...clientKey.settings, ALLOW_DEVICE_SET_IN_CLIENT: "true", OWNER_CREATION_LIMIT: "100" };

await describeUpstreams("the digest that a device proves its attempt with", env, (_upstream, { stack, play }) => {
  const app = createAppClient(stack.url, principal("alice"));
  const service = createAppClient(stack.url, clientKey.headers);

  const playDigest = async (session: { sessionId: string; authToken: string }, scenario = "realface") =>
    digestOf(await play(session, { scenario }));
  const settle = (sessionId: string, json: object) => app.send(`api/sessions/${sessionId}/settle`, { json });
  const outcomeOf = ({ body }: { body: unknown }) => {
    const { decision, reasons } = body as { decision: string; reasons: string[] };
    return [decision, reasons];
  };
  /** All that a caller can read of the session, with the headers. */
  const textOf = async (caller: typeof app, sessionId: string) => {
    const answers = await Promise.all(readers(sessionId).map((path) => caller.send(path)));
    for (const { status, body } of answers) assert.equal(status, 200, JSON.stringify(body));
    return JSON.stringify(answers.map(({ body, headers }) => [body, [...headers]]));
  };
  /** Every digest that the service has of the session's attempts, of failed ones too. */
  const digestsOf = async (sessionId: string) => {
    const text = await textOf(service, sessionId);
    return new Set([...text.matchAll(/"digest":"([0-9A-F]{64})"/g)].map(([, digest = ""]) => digest));
  };

  test("a user can read the digest of an attempt after sending it", async () => {
    const session = await app.openSession();
    const { sessionId } = session;
    await play(session, { scenario: "TimedOut" });
    const first = await playDigest(session, "uncertain");
    assert.ok((await digestsOf(sessionId)).has(first));
    const unsettled = await textOf(app, sessionId);
    for (const digest of await digestsOf(sessionId)) assert.equal(unsettled.includes(digest), false);

    assert.equal((await settle(sessionId, { digest: first })).status, 200);
    assert.ok((await textOf(app, sessionId)).includes(first));
    const second = await playDigest(session);
    const later = await textOf(app, sessionId);
    assert.ok(later.includes(first));
    for (const digest of await digestsOf(sessionId)) assert.equal(later.includes(digest), digest === first);

    assert.deepEqual(outcomeOf(await settle(sessionId, { digest: second })), ["accepted", ["RealFace"]]);
    assert.ok((await textOf(app, sessionId)).includes(second));
  });

  test("a wrong first digest rejects the session for good, whatever follows", async () => {
    for (const guess of [
      { digest: "0".repeat(64) },
      { digest: "0".repeat(64), clientError: "CameraDenied" },
      { digest: " " },
    ]) {
      const session = await app.openSession();
      const digest = await playDigest(session);
      const swapped = ["rejected", ["ClientDigestMismatch"]];
      assert.deepEqual(outcomeOf(await settle(session.sessionId, guess)), swapped);
      assert.ok((await textOf(app, session.sessionId)).includes(digest), "it proves nothing any more");
      for (const retry of [{ digest }, { digest, clientError: "none" }, {}]) {
        assert.deepEqual(outcomeOf(await settle(session.sessionId, retry)), swapped);
      }
      await playDigest(session);
      assert.deepEqual(outcomeOf(await settle(session.sessionId, {})), swapped);
    }
  });

  test("no comparison before a result, and the same answer for a right and a wrong digest", async () => {
    const session = await app.openSession();
    assertError(await settle(session.sessionId, { digest: "0" }), 409, "SessionNotFinished");
    await play(session, { scenario: "TimedOut" });
    const [digest = "0"] = await digestsOf(session.sessionId);
    const guesses = [digest, "1"].map((guess) => settle(session.sessionId, { digest: guess }));
    const [right, wrong] = await Promise.all(guesses);
    assert.deepEqual(right?.body, wrong?.body);
    assert.deepEqual(outcomeOf(await settle(session.sessionId, {})), ["inconclusive", ["AttemptsFailed"]]);
  });

  test("concurrent digests reject the session unless all are right", async () => {
    const session = await app.openSession();
    const digest = await playDigest(session);
    const guesses = [digest, "1", digest, "2"];
    await Promise.all(guesses.map((guess) => settle(session.sessionId, { digest: guess })));
    assert.deepEqual(outcomeOf(await app.send(`api/sessions/${session.sessionId}`)), [
      "rejected",
      ["ClientDigestMismatch"],
    ]);
  });

  test("a wrong digest together with the device set in the client rejects the session", async () => {
    const deviceCorrelationId = randomUUID();
    const session = await app.openSession(undefined, {
      deviceCorrelationId: undefined,
      deviceCorrelationIdSetInClient: true,
    });
    const attempt = { scenario: "realface", deviceCorrelationId };
    const digest = digestOf(await play(session, attempt));
    assert.equal((await textOf(app, session.sessionId)).includes(digest), false);
    const swapped = ["rejected", ["ClientDigestMismatch"]];
    assert.deepEqual(outcomeOf(await settle(session.sessionId, { digest: "0", deviceCorrelationId })), swapped);
    assert.deepEqual(outcomeOf(await settle(session.sessionId, { digest, deviceCorrelationId })), swapped);
  });
});
