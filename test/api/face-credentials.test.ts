import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { assertError, control, createAppClient } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const path = "face/v1.2/detectLiveness-sessions";
const json = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
const clientKey = "the key of a client";
const wrongKey = "a wrong key of the Face service";

describe("a wrong key of the Face service", async () => {
  const { stack } = await openStack({
    env: { CLIENT_KEYS: JSON.stringify({ shop: [createHash("sha256").update(clientKey).digest("hex")] }) },
  });
  const headers = { "ocp-apim-subscription-key": clientKey };

  test("is the app's trouble on every route that asks the service, and 401 means the caller's own key", async () => {
    const { sessionId } = await createAppClient(stack.url, headers).openSession();
    const host = await stack.startAnotherApp({ FACE_KEY: wrongKey });
    const app = createAppClient(host.url, headers);
    const asked = async () => {
      const { calls } = (await control(stack.emulator, "/state")) as { calls: Record<string, number> };
      return { create: calls.create, get: calls.get, delete: calls.delete };
    };
    const before = await asked();
    for (const answer of [
      await app.send(path, { json }),
      await app.send(`${path}/${sessionId}`),
      await app.send(`api/sessions/${sessionId}/settle`, { json: {} }),
      await app.send(`${path}/${sessionId}`, { method: "DELETE" }),
    ]) {
      assertError(answer, 502, "FaceCredentialsRejected");
      assert.doesNotMatch(JSON.stringify(answer.body), /subscription|wrong/i);
      assert.match(answer.headers.get("apim-request-id") ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(answer.headers.get("retry-after"), null);
    }
    const { create = 0, get = 0, delete: removed } = before;
    assert.deepEqual(await asked(), { create: create + 1, get: get + 3, delete: removed }, "nothing is sent twice");
    assertError(await createAppClient(host.url).send(path, { json }), 401, "Unspecified");
    const lines = host.output().split("\n");
    assert.ok(lines.some((line) => line.includes("RequestFailed") && line.includes("FaceCredentialsRejected")));
    assert.equal(host.output().includes(wrongKey), false);
  });

  test("gives the place of each creation back, so that the device is not throttled for it", async () => {
    const host = await stack.startAnotherApp({ FACE_KEY: wrongKey, CREATION_LIMIT: "2" });
    const app = createAppClient(host.url, headers);
    for (let count = 0; count < 3; count += 1) {
      assertError(await app.send(path, { json }), 502, "FaceCredentialsRejected");
    }
  });
});
