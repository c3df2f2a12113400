import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { apiVersions } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { assertError, createAppClient, playAttempt } from "../support/app-client.ts";
import { dialects, readEntries } from "./dialects.ts";

const kind = "livenessWithVerify";

for (const first of apiVersions) {
  describe(`sessions opened with the upstream version ${first}`, () => {
    let stack: Stack;
    before(async () => {
      stack = await startStack({ env: { FACE_API_VERSION: first } });
    });
    after(() => stack.stop());

    test("work in every dialect after a change of the upstream version", async () => {
      const app = createAppClient(stack.url);
      const opened = [];
      for (const dialect of dialects) {
        const fields = dialect.fields({ livenessOperationMode: "Passive", deviceCorrelationId: randomUUID() });
        const { body } = await app.send(dialect.sessions(kind), { body: dialect.form(fields, makeImage()) });
        opened.push({ dialect, ...dialect.readCreated(kind, body) });
      }
      for (const next of apiVersions.filter((version) => version !== first)) {
        await stack.restartApp({ FACE_API_VERSION: next });
        for (const session of opened) {
          await playAttempt(stack.emulator, session, { scenario: "uncertain", matchConfidence: 0.4 });
          for (const dialect of dialects) {
            const path = `${dialect.sessions(kind)}/${session.sessionId}`;
            const read = dialect.readSession(kind, (await app.send(path)).body);
            assert.deepEqual([read.status, read.attempts.at(-1)?.decision], [dialect.doneStatus, "uncertain"]);
            assert.deepEqual(read.attempts.at(-1)?.match, { matchConfidence: 0.4, isIdentical: false });
            if (dialect.isPreview) assert.ok(readEntries((await app.send(`${path}/audit`)).body).length > 0);
          }
        }
      }
      for (const { dialect, sessionId } of opened) {
        const path = `${dialect.sessions(kind)}/${sessionId}`;
        assert.equal((await app.session(sessionId)).attempts, 3);
        assert.equal((await app.send(path, { method: "DELETE" })).status, dialect.deletedStatus);
        assertError(await app.send(path), 404, "SessionNotFound");
      }
    });
  });
}
