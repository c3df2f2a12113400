import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { apiVersions } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { assertError, createAppClient, playAttempt } from "../support/app-client.ts";
import { openStack } from "../support/open-stack.ts";
import { dialects, isStable, readList } from "./dialects.ts";

const kinds = ["liveness", "livenessWithVerify"] as const;
const fields = { livenessOperationMode: "Passive", deviceCorrelationIdSetInClient: true };

for (const upstream of apiVersions) {
  describe(`a device set in the client, upstream version ${upstream}`, () => {
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
          const sent = dialect.fields(fields);
          const request = kind === "liveness" ? { json: sent } : { body: dialect.form(sent, makeImage()) };
          const opened = await app.send(dialect.sessions(kind), request);
          assert.equal(opened.status, 200, JSON.stringify(opened.body));
          const session = dialect.readCreated(kind, opened.body);
          const { sessionId } = session;
          assert.equal((await app.session(sessionId)).deviceCorrelationId, undefined);

          const deviceCorrelationId = randomUUID();
          await playAttempt(stack.emulator, session, { scenario: "TimedOut", deviceCorrelationId });
          await playAttempt(stack.emulator, session, { scenario: "realface" });
          const path = `${dialect.sessions(kind)}/${sessionId}`;
          const result = dialect.readSession(kind, (await app.send(path)).body);
          assert.deepEqual([result.status, result.attempts.at(-1)?.decision], [dialect.doneStatus, "realface"]);

          // Only the older previews return the device id; with the others the client sends it.
          const before = (await app.session(sessionId)).deviceCorrelationId;
          assert.equal(before, isStable(upstream) ? undefined : deviceCorrelationId);
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

describe("a device set in the client, without ALLOW_DEVICE_SET_IN_CLIENT", async () => {
  const { app } = await openStack();

  test("400 in every dialect", async () => {
    for (const dialect of dialects) {
      for (const kind of kinds) {
        const sent = dialect.fields(fields);
        const request = kind === "liveness" ? { json: sent } : { body: dialect.form(sent, makeImage()) };
        assertError(await app.send(dialect.sessions(kind), request), 400, "DeviceSetInClientDisabled");
      }
    }
  });
});
