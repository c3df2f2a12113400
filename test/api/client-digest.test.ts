import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { apiVersions } from "../../src/face/model.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { clientKey, principal } from "../unit/fakes/principals.ts";
import { createAppClient, digestOf, playAttempt } from "./support/app-client.ts";

/** Every route on which a signed-in user can read attempts of a session. */
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
  describe(`the client digest with the upstream version ${upstream}`, () => {
    let stack: Stack;
    let app: ReturnType<typeof createAppClient>;
    let service: ReturnType<typeof createAppClient>;
    before(async () => {
      const env = { FACE_API_VERSION: upstream, ALLOW_DEVICE_SET_IN_CLIENT: "true", ...clientKey.settings };
      stack = await startStack({ env });
      app = createAppClient(stack.url, principal("alice"));
      service = createAppClient(stack.url, clientKey.headers);
    });
    after(() => stack.stop());

    type Session = Awaited<ReturnType<typeof app.openSession>>;
    const play = async (session: Session, scenario: string) =>
      digestOf(await playAttempt(stack.emulator, session, { scenario }));
    const outcomeOf = ({ decision, reasons }: Awaited<ReturnType<typeof app.session>>) => [decision, reasons];
    /** All answers about the session, with their headers, as one text to search. */
    const textOf = async (caller: typeof app, sessionId: string) => {
      const answers = await Promise.all(readers(sessionId).map((path) => caller.send(path)));
      for (const { status, body } of answers) assert.equal(status, 200, JSON.stringify(body));
      return JSON.stringify(answers.map(({ body, headers }) => [body, [...headers]]));
    };
    /** Every digest of the session's attempts that the service reads, including those of failed attempts. */
    const digestsOf = async (sessionId: string) => {
      const text = await textOf(service, sessionId);
      return new Set([...text.matchAll(/"digest":"([0-9A-F]{64})"/g)].map(([, digest = ""]) => digest));
    };

    test("a user reads the digest of an attempt only after sending it", async () => {
      const session = await app.openSession();
      const { sessionId } = session;
      await playAttempt(stack.emulator, session, { scenario: "TimedOut" });
      const first = await play(session, "uncertain");
      assert.ok((await digestsOf(sessionId)).has(first));
      const unsettled = await textOf(app, sessionId);
      for (const digest of await digestsOf(sessionId)) assert.equal(unsettled.includes(digest), false);

      await app.settle(sessionId, { digest: first });
      assert.ok((await textOf(app, sessionId)).includes(first));
      const second = await play(session, "realface");
      const later = await textOf(app, sessionId);
      for (const digest of await digestsOf(sessionId)) assert.equal(later.includes(digest), digest === first);

      assert.deepEqual(outcomeOf(await app.settle(sessionId, { digest: second })), ["accepted", ["RealFace"]]);
      assert.ok((await textOf(app, sessionId)).includes(second));
    });

    test("a wrong first digest rejects the session for good", async () => {
      const session = await app.openSession();
      const digest = await play(session, "realface");
      const mismatch = ["rejected", ["ClientDigestMismatch"]];
      assert.deepEqual(outcomeOf(await app.settle(session.sessionId, { digest: "0".repeat(64) })), mismatch);
      assert.ok((await textOf(app, session.sessionId)).includes(digest), "visible, because it proves nothing now");
      assert.deepEqual(outcomeOf(await app.settle(session.sessionId, { digest })), mismatch);
      await play(session, "realface");
      assert.deepEqual(outcomeOf(await app.settle(session.sessionId)), mismatch);
    });

    test("a wrong digest that comes with the device id rejects a session whose device is set in the client", async () => {
      const deviceCorrelationId = randomUUID();
      const inClient = { deviceCorrelationId: undefined, deviceCorrelationIdSetInClient: true };
      const session = await app.openSession(undefined, inClient);
      const attempt = { scenario: "realface", deviceCorrelationId };
      const digest = digestOf(await playAttempt(stack.emulator, session, attempt));
      assert.equal((await textOf(app, session.sessionId)).includes(digest), false);
      for (const guess of ["0", digest]) {
        const settled = await app.settle(session.sessionId, { digest: guess, deviceCorrelationId });
        assert.deepEqual(outcomeOf(settled), ["rejected", ["ClientDigestMismatch"]]);
      }
    });
  });
}
