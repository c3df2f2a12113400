import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clientKey } from "../unit/fakes/principals.ts";
import { assertError, createAppClient, creation, errorOf, sessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const secret = "a-secret-that-is-no-digest";
const wrongKey = "a wrong key of the Face service";

const { stack, control, emulatorState } = await openStack({ env: clientKey.settings });

describe("an app with invalid settings", async () => {
  const settings = ["CLIENT_KEYS", "FACE_API_VERSION", "SESSION_RETENTION_HOURS"];
  const invalid = { FACE_API_VERSION: "v9", SESSION_RETENTION_HOURS: "soon", CLIENT_KEYS: `{"shop":["${secret}"]}` };
  const host = await stack.startAnotherApp(invalid);
  const app = createAppClient(host.url);

  test("liveness probe -> 200, every other route -> 503 with the names of the settings", async () => {
    assert.equal((await app.send("api/health")).status, 200);
    for (const path of ["api/health/ready", "api/sessions/x", "face/v1.2/detectLiveness-sessions", "api/nowhere"]) {
      const answer = await app.send(path, { method: path.startsWith("face") ? "POST" : "GET" });
      assertError(answer, 503, "ServiceNotConfigured");
      const { message } = errorOf(answer);
      for (const setting of settings) assert.ok(message.includes(setting), message);
      for (const value of [secret, "soon"]) assert.equal(message.includes(value), false, message);
    }
  });

  test("one log line with every name and no value", () => {
    const lines = host.output().split("\n");
    const [line = "", ...others] = lines.filter((each) => each.includes("ServiceNotConfigured"));
    assert.deepEqual(others, []);
    for (const setting of settings) assert.ok(line.includes(setting), line);
    assert.equal(host.output().includes(secret), false);
  });
});

describe("the key of the Face service, and readiness", () => {
  const { headers } = clientKey;
  const app = createAppClient(stack.url, headers);
  const targetsOf = (answer: Awaited<ReturnType<typeof app.send>>) =>
    errorOf(answer).details?.map(({ code, target }) => [target, code]);

  test("a wrong key of the app: readiness names Face, 502 on every route that calls the service; 401 is for the caller's own key only", async () => {
    const { sessionId } = await app.openSession();
    const host = await stack.startAnotherApp({ FACE_KEY: wrongKey });
    const wrong = createAppClient(host.url, headers);
    const unready = await wrong.send("api/health/ready");
    assertError(unready, 503, "NotReady");
    assert.deepEqual(targetsOf(unready), [["face", "FaceCredentialsRejected"]]);
    const before = (await emulatorState()).calls;
    for (const answer of [
      await wrong.send(sessionsPath, creation()),
      await wrong.send(`${sessionsPath}/${sessionId}`),
      await wrong.send(`api/sessions/${sessionId}/settle`, { json: {} }),
      await wrong.send(`${sessionsPath}/${sessionId}`, { method: "DELETE" }),
    ]) {
      assertError(answer, 502, "FaceCredentialsRejected");
      assert.doesNotMatch(errorOf(answer).message, /subscription|wrong/i);
      assert.match(answer.headers.get("apim-request-id") ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(answer.headers.get("retry-after"), null);
    }
    const expected = { ...before, create: before.create + 1, get: before.get + 3 };
    assert.deepEqual((await emulatorState()).calls, expected, "no retries");
    assertError(await createAppClient(host.url).send(sessionsPath, creation()), 401, "Unspecified");
    const lines = host.output().split("\n");
    assert.ok(lines.some((line) => line.includes("RequestFailed") && line.includes("FaceCredentialsRejected")));
    assert.equal(host.output().includes(wrongKey), false);
  });

  test("failed creations do not count against the device's limit", async () => {
    const host = await stack.startAnotherApp({ FACE_KEY: wrongKey, CREATION_LIMIT: "2" });
    const wrong = createAppClient(host.url, headers);
    for (let count = 0; count < 3; count += 1) {
      assertError(await wrong.send(sessionsPath, creation("a-device")), 502, "FaceCredentialsRejected");
    }
  });

  test("200 while all dependencies answer, else 503 with the names of the others", async () => {
    const ready = await app.send("api/health/ready");
    assert.deepEqual([ready.status, ready.body], [200, { status: "ready" }]);
    await stack.azurite.stop();
    await control("/clock", { advanceSeconds: 10 });
    const answer = await app.send("api/health/ready");
    assertError(answer, 503, "NotReady");
    const targets = targetsOf(answer)?.map(([target]) => target);
    assert.deepEqual(targets, ["tables", "blobs"]);
  });
});
