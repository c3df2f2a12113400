import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { sessionKinds } from "../../../src/face/model.ts";
import { assertError, createAppClient } from "../support/app-client.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { createIn, dialects, isStable, openIn, readList } from "./dialects.ts";

const fields = { deviceCorrelationId: undefined, deviceCorrelationIdSetInClient: true };

await describeUpstreams(
  "a device set in the client",
  { ALLOW_DEVICE_SET_IN_CLIENT: "true" },
  (upstream, { stack, app, play }) => {
    for (const dialect of dialects) {
      for (const kind of sessionKinds) {
        test(`${dialect.version}: ${kind}`, async () => {
          const session = await openIn(dialect, app, kind, fields);
          const { sessionId } = session;
          assert.equal((await app.session(sessionId)).deviceCorrelationId, undefined);

          const deviceCorrelationId = randomUUID();
          await play(session, { scenario: "TimedOut", deviceCorrelationId });
          await play(session, { scenario: "realface" });
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

    if (upstream !== "v1.2") return;
    test("without ALLOW_DEVICE_SET_IN_CLIENT: 400 in every dialect", async () => {
      const { url } = await stack.startAnotherApp({ ALLOW_DEVICE_SET_IN_CLIENT: "false" });
      for (const dialect of dialects) {
        for (const kind of sessionKinds) {
          const refused = await createIn(dialect, createAppClient(url), kind, fields);
          assertError(refused, 400, "DeviceSetInClientDisabled");
        }
      }
    });
  },
);
