import assert from "node:assert/strict";
import { test } from "node:test";
import { apiVersions } from "../../../src/face/model.ts";
import { assertError } from "../support/app-client.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { dialects, openIn, readEntries } from "./dialects.ts";

const kind = "livenessWithVerify";

await describeUpstreams("sessions opened earlier", {}, (first, { stack, app, play }) => {
  test("work in every dialect after a change of the upstream version", async () => {
    const opened = [];
    for (const dialect of dialects) opened.push({ dialect, ...(await openIn(dialect, app, kind)) });
    for (const next of apiVersions.filter((version) => version !== first)) {
      await stack.restartApp({ FACE_API_VERSION: next });
      for (const session of opened) {
        await play(session, { scenario: "uncertain", matchConfidence: 0.4 });
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
