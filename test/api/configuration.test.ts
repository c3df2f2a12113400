import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertError, control, createAppClient, errorOf } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const secret = "a-secret-that-is-no-digest";

describe("an app with invalid settings", async () => {
  const settings = ["CLIENT_KEYS", "FACE_API_VERSION", "SESSION_RETENTION_HOURS"];
  const { stack, app } = await openStack({
    env: { FACE_API_VERSION: "v9", SESSION_RETENTION_HOURS: "soon", CLIENT_KEYS: `{"shop":["${secret}"]}` },
  });

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
    const lines = stack.app.output().split("\n");
    const [line = "", ...others] = lines.filter((each) => each.includes("ServiceNotConfigured"));
    assert.deepEqual(others, []);
    for (const setting of settings) assert.ok(line.includes(setting), line);
    assert.equal(stack.app.output().includes(secret), false);
  });
});

describe("readiness", async () => {
  const { stack, app } = await openStack();
  const targetsOf = (answer: Awaited<ReturnType<typeof app.send>>) =>
    errorOf(answer).details?.map(({ code, target }) => [target, code]);

  test("names Face where the app's key is wrong", async () => {
    const other = await stack.startAnotherApp({ FACE_KEY: "wrong" });
    const answer = await createAppClient(other.url).send("api/health/ready");
    assertError(answer, 503, "NotReady");
    assert.deepEqual(targetsOf(answer), [["face", "FaceCredentialsRejected"]]);
  });

  test("200 while all dependencies answer, else 503 with the names of the others", async () => {
    const ready = await app.send("api/health/ready");
    assert.deepEqual([ready.status, ready.body], [200, { status: "ready" }]);
    await stack.azurite.stop();
    await control(stack.emulator, "/clock", { advanceSeconds: 10 });
    const answer = await app.send("api/health/ready");
    assertError(answer, 503, "NotReady");
    assert.deepEqual(
      targetsOf(answer)?.map(([target]) => target),
      ["tables", "blobs"],
    );
  });
});
