import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientKey } from "../unit/fakes/principals.ts";
import { assertError, createAppClient, creation, emulatorState, errorOf, sessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const wrongKey = "a wrong key of the Face service";

describe("a wrong key of the Face service", async () => {
  const { stack } = await openStack({ env: clientKey.settings });
  const { headers } = clientKey;

  test("502 on every route that calls the service; 401 is for the caller's own key only", async () => {
    const { sessionId } = await createAppClient(stack.url, headers).openSession();
    const host = await stack.startAnotherApp({ FACE_KEY: wrongKey });
    const app = createAppClient(host.url, headers);
    const before = (await emulatorState(stack)).calls;
    for (const answer of [
      await app.send(sessionsPath, creation()),
      await app.send(`${sessionsPath}/${sessionId}`),
      await app.send(`api/sessions/${sessionId}/settle`, { json: {} }),
      await app.send(`${sessionsPath}/${sessionId}`, { method: "DELETE" }),
    ]) {
      assertError(answer, 502, "FaceCredentialsRejected");
      assert.doesNotMatch(errorOf(answer).message, /subscription|wrong/i);
      assert.match(answer.headers.get("apim-request-id") ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(answer.headers.get("retry-after"), null);
    }
    const expected = { ...before, create: before.create + 1, get: before.get + 3 };
    assert.deepEqual((await emulatorState(stack)).calls, expected, "no retries");
    assertError(await createAppClient(host.url).send(sessionsPath, creation()), 401, "Unspecified");
    const lines = host.output().split("\n");
    assert.ok(lines.some((line) => line.includes("RequestFailed") && line.includes("FaceCredentialsRejected")));
    assert.equal(host.output().includes(wrongKey), false);
  });

  test("failed creations do not count against the device's limit", async () => {
    const host = await stack.startAnotherApp({ FACE_KEY: wrongKey, CREATION_LIMIT: "2" });
    const app = createAppClient(host.url, headers);
    for (let count = 0; count < 3; count += 1) {
      assertError(await app.send(sessionsPath, creation("a-device")), 502, "FaceCredentialsRejected");
    }
  });
});
