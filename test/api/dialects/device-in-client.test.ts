import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { apiVersions } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { assertError, createAppClient, playAttempt } from "../support/app-client.ts";
import { dialects, readList } from "./dialects.ts";

const kinds = ["liveness", "livenessWithVerify"] as const;
const fields = { livenessOperationMode: "Passive", deviceCorrelationIdSetInClient: true };

for (const upstream of apiVersions) {
  describe(`a device that is set in the client, towards ${upstream}`, () => {
    let stack: Stack;
    let app: ReturnType<typeof createAppClient>;
    before(async () => {
      stack = await startStack({ env: { FACE_API_VERSION: upstream, ALLOW_DEVICE_SET_IN_CLIENT: "true" } });
      app = createAppClient(stack.url);
    });
    after(() => stack.stop());

    for (const dialect of dialects) {
      for (const kind of kinds) {
        test(`${dialect.version}: ${kind}`, async () => {
          const request = kind === "liveness" ? { json: fields } : { body: dialect.form(fields, makeImage()) };
          const opened = await app.send(dialect.sessions(kind), request);
          assert.equal(opened.status, 200, JSON.stringify(opened.body));
          const session = dialect.readCreated(kind, opened.body);
          const { sessionId } = session;
          assert.equal((await app.session(sessionId)).deviceCorrelationId, undefined);

          const deviceCorrelationId = randomUUID();
          await playAttempt(stack.emulator, session, { scenario: "TimedOut", deviceCorrelationId });
          await playAttempt(stack.emulator, session, { scenario: "realface" });
          const path = `${dialect.sessions(kind)}/${sessionId}`;
          const told = dialect.readSession(kind, (await app.send(path)).body);
          assert.deepEqual([told.status, told.attempts.at(-1)?.decision], [dialect.doneStatus, "realface"]);

          // Only the previews tell which device it was; for v1.2 the app has to.
          const before = (await app.session(sessionId)).deviceCorrelationId;
          assert.equal(before, upstream === "v1.2" ? undefined : deviceCorrelationId);
          const settled = await app.send(`api/sessions/${sessionId}/settle`, { json: { deviceCorrelationId } });
          assert.equal(settled.status, 200, JSON.stringify(settled.body));
          const [outcome] = (await app.outcomes(deviceCorrelationId)).value;
          assert.partialDeepStrictEqual(outcome, { sessionId, attempts: 2, decision: "accepted", deviceCorrelationId });
          for (const { isPreview, sessions } of dialects) {
            if (!isPreview) continue;
            const item = readList((await app.send(sessions(kind))).body).find(({ id }) => id === sessionId);
            assert.equal(item?.deviceCorrelationId, deviceCorrelationId);
            const { body } = await app.send(`${sessions(kind)}/${sessionId}`);
            assert.partialDeepStrictEqual(body, { deviceCorrelationId });
          }
          const other = { json: { deviceCorrelationId: "another" } };
          assertError(await app.send(`api/sessions/${sessionId}/settle`, other), 409, "DeviceMismatch");
          assert.equal((await app.send(path, { method: "DELETE" })).status, dialect.deletedStatus);
          assertError(await app.send(path), 404, "SessionNotFound");
        });
      }
    }
  });
}

describe("a device that is set in the client, where that is not allowed", () => {
  let stack: Stack;
  before(async () => {
    stack = await startStack();
  });
  after(() => stack.stop());

  test("is refused with a clear error in every dialect", async () => {
    for (const dialect of dialects) {
      for (const kind of kinds) {
        const request = kind === "liveness" ? { json: fields } : { body: dialect.form(fields, makeImage()) };
        const answer = await createAppClient(stack.url).send(dialect.sessions(kind), request);
        assertError(answer, 400, "DeviceSetInClientDisabled");
      }
    }
  });
});
