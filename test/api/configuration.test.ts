import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Stack, startStack } from "../local/stack.ts";
import { assertError, control, createAppClient } from "./support/app-client.ts";

describe("an app with wrong settings", () => {
  let stack: Stack;
  before(async () => {
    stack = await startStack({
      env: {
        FACE_API_VERSION: "v9",
        SESSION_RETENTION_HOURS: "soon",
        CLIENT_KEYS: '{"shop":["a-secret-that-is-no-digest"]}',
      },
    });
  });
  after(() => stack.stop());

  test("is alive, and answers 503 with the settings' names on every other route", async () => {
    const app = createAppClient(stack.url);
    assert.equal((await app.send("api/health")).status, 200);
    for (const path of ["api/health/ready", "api/sessions/x", "face/v1.2/detectLiveness-sessions", "api/nowhere"]) {
      const answer = await app.send(path, { method: path.startsWith("face") ? "POST" : "GET" });
      assertError(answer, 503, "ServiceNotConfigured");
      for (const setting of ["FACE_API_VERSION", "SESSION_RETENTION_HOURS", "CLIENT_KEYS"]) {
        assert.match(JSON.stringify(answer.body), new RegExp(setting));
      }
      assert.doesNotMatch(JSON.stringify(answer.body), /a-secret-that-is-no-digest|soon/);
    }
  });

  test("logs one line with every name and no value", () => {
    const lines = stack.app
      .output()
      .split("\n")
      .filter((line) => line.includes("ServiceNotConfigured"));
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /FACE_API_VERSION.*SESSION_RETENTION_HOURS.*CLIENT_KEYS|CLIENT_KEYS/);
    assert.doesNotMatch(stack.app.output(), /a-secret-that-is-no-digest/);
  });
});

describe("readiness", () => {
  let stack: Stack;
  before(async () => {
    stack = await startStack();
  });
  after(() => stack.stop());

  test("is ready when everything is in reach, and names what is not", async () => {
    const app = createAppClient(stack.url);
    const ready = await app.send("api/health/ready");
    assert.deepEqual([ready.status, ready.body], [200, { status: "ready" }]);
    await stack.azurite.stop();
    await control(stack.emulator, "/clock", { advanceSeconds: 10 });
    const answer = await app.send("api/health/ready");
    assertError(answer, 503, "NotReady");
    assert.match(JSON.stringify(answer.body), /tables.*blobs/);
  });

  test("names Face where its key is wrong", async () => {
    const other = await stack.startAnotherApp({ FACE_KEY: "wrong" });
    const answer = await createAppClient(other.url).send("api/health/ready");
    assertError(answer, 503, "NotReady");
    assert.match(JSON.stringify(answer.body), /"code":"FaceCredentialsRejected","message":"[^"]*","target":"face"/);
  });
});
