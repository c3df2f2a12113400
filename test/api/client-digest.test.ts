import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { apiVersions } from "../../src/face/model.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { assertError, createAppClient, playAttempt } from "./support/app-client.ts";

const key = "the key of a service";
const user = {
  "x-ms-client-principal": Buffer.from(
    JSON.stringify({ auth_typ: "aad", claims: [{ typ: "oid", val: "alice" }] }),
  ).toString("base64"),
};

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

for (const upstream of apiVersions) {
  describe(`the digest that a device proves its attempt with, towards ${upstream}`, () => {
    let stack: Stack;
    let app: ReturnType<typeof createAppClient>;
    let service: ReturnType<typeof createAppClient>;
    before(async () => {
      stack = await startStack({
        env: {
          FACE_API_VERSION: upstream,
          ALLOW_DEVICE_SET_IN_CLIENT: "true",
          WEBSITE_AUTH_ENABLED: "true",
          CLIENT_KEYS: JSON.stringify({ service: [createHash("sha256").update(key).digest("hex")] }),
        },
      });
      app = createAppClient(stack.url, user);
      service = createAppClient(stack.url, { "ocp-apim-subscription-key": key });
    });
    after(() => stack.stop());

    const play = async (session: { sessionId: string; authToken: string }, scenario = "realface") => {
      const { body } = await playAttempt(stack.emulator, session, { scenario });
      return (body as { digest: string }).digest;
    };
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

    test("is shown to a user once the user has sent it, attempt by attempt", async () => {
      const session = await app.openSession();
      const { sessionId } = session;
      await playAttempt(stack.emulator, session, { scenario: "TimedOut" });
      const first = await play(session, "uncertain");
      assert.ok((await digestsOf(sessionId)).has(first));
      const unsettled = await textOf(app, sessionId);
      for (const digest of await digestsOf(sessionId)) assert.equal(unsettled.includes(digest), false);

      assert.equal((await settle(sessionId, { digest: first })).status, 200);
      assert.ok((await textOf(app, sessionId)).includes(first));
      const second = await play(session);
      const later = await textOf(app, sessionId);
      assert.ok(later.includes(first));
      for (const digest of await digestsOf(sessionId)) assert.equal(later.includes(digest), digest === first);

      assert.deepEqual(outcomeOf(await settle(sessionId, { digest: second })), ["accepted", ["RealFace"]]);
      assert.ok((await textOf(app, sessionId)).includes(second));
    });

    test("rejects for good where the first one sent is wrong, whatever is sent with it or after it", async () => {
      for (const guess of [
        { digest: "0".repeat(64) },
        { digest: "0".repeat(64), clientError: "CameraDenied" },
        { digest: " " },
      ]) {
        const session = await app.openSession();
        const digest = await play(session);
        const swapped = ["rejected", ["ClientDigestMismatch"]];
        assert.deepEqual(outcomeOf(await settle(session.sessionId, guess)), swapped);
        assert.ok((await textOf(app, session.sessionId)).includes(digest), "it proves nothing any more");
        for (const retry of [{ digest }, { digest, clientError: "none" }, {}]) {
          assert.deepEqual(outcomeOf(await settle(session.sessionId, retry)), swapped);
        }
        await play(session);
        assert.deepEqual(outcomeOf(await settle(session.sessionId, {})), swapped);
      }
    });

    test("is compared with nothing before there is a result, and nothing is learned by that", async () => {
      const session = await app.openSession();
      assertError(await settle(session.sessionId, { digest: "0" }), 409, "SessionNotFinished");
      await playAttempt(stack.emulator, session, { scenario: "TimedOut" });
      const [digest = "0"] = await digestsOf(session.sessionId);
      const guesses = [digest, "1"].map((guess) => settle(session.sessionId, { digest: guess }));
      const [right, wrong] = await Promise.all(guesses);
      assert.deepEqual(right?.body, wrong?.body);
      assert.deepEqual(outcomeOf(await settle(session.sessionId, {})), ["inconclusive", ["AttemptsFailed"]]);
    });

    test("rejects where several are sent at the same time, unless all are right", async () => {
      const session = await app.openSession();
      const digest = await play(session);
      const guesses = [digest, "1", digest, "2"];
      await Promise.all(guesses.map((guess) => settle(session.sessionId, { digest: guess })));
      assert.deepEqual(outcomeOf(await app.send(`api/sessions/${session.sessionId}`)), [
        "rejected",
        ["ClientDigestMismatch"],
      ]);
    });

    test("rejects where the device is set in the client and named with a wrong one", async () => {
      const deviceCorrelationId = randomUUID();
      const session = await app.openSession(undefined, {
        deviceCorrelationId: undefined,
        deviceCorrelationIdSetInClient: true,
      });
      const attempt = { scenario: "realface", deviceCorrelationId };
      const { digest } = (await playAttempt(stack.emulator, session, attempt)).body as { digest: string };
      assert.equal((await textOf(app, session.sessionId)).includes(digest), false);
      const swapped = ["rejected", ["ClientDigestMismatch"]];
      assert.deepEqual(outcomeOf(await settle(session.sessionId, { digest: "0", deviceCorrelationId })), swapped);
      assert.deepEqual(outcomeOf(await settle(session.sessionId, { digest, deviceCorrelationId })), swapped);
    });
  });
}
