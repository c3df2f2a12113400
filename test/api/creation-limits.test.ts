import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { clientKey, ownerOf, principal } from "../unit/fakes/principals.ts";
import { assertError, control, createAppClient, creation, errorOf, sessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

describe("creation limits", async () => {
  const { stack } = await openStack({
    env: { ...clientKey.settings, OWNER_CREATION_LIMIT: "3", CREATION_LIMIT: "10" },
  });

  test("200 concurrent creations on two processes: exactly the limit succeeds", async () => {
    const other = await stack.startAnotherApp();
    const apps = [stack.url, other.url].map((url) => createAppClient(url, clientKey.headers));
    const [app = assert.fail(), otherApp = assert.fail()] = apps;
    const device = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 2 === 0 ? app : otherApp).send(sessionsPath, creation(device)),
      ),
    );
    assert.equal(answers.filter(({ status }) => status === 200).length, 10);
    for (const answer of answers.filter(({ status }) => status !== 200 && status !== 503)) {
      assertError(answer, 429, "429");
      const { statusCode, message } = errorOf(answer);
      assert.equal(statusCode, 429);
      assert.match(message, /^Rate limit is exceeded\. Try again in \d+ seconds\./);
      assert.ok(Number(answer.headers.get("retry-after")) > 0);
    }
    assert.equal((await app.outcomes(device, "?top=100")).value.length, 10);
    await control(stack.emulator, "/clock", { advanceSeconds: 601 });
    await app.openSession(device);
  });

  test("a principal has a limit over all its devices, a service role has none", async () => {
    const alice = createAppClient(stack.url, principal("alice"));
    const answers = await Promise.all(Array.from({ length: 9 }, () => alice.send(sessionsPath, creation())));
    assert.equal(answers.filter(({ status }) => status === 200).length, 3);
    for (const answer of answers.filter(({ status }) => status !== 200)) assertError(answer, 429, "429");
    const service = createAppClient(stack.url, principal("backend", "Liveness.Service"));
    for (let count = 0; count < 4; count += 1) await service.openSession();
  });

  test("erasing a principal's last session leaves no trace of the principal", async () => {
    const device = randomUUID();
    await createAppClient(stack.url, principal("gus")).openSession(device);
    const storage = viewStorage(stack.azurite.connectionString);
    assert.ok((await storage.everything()).includes(ownerOf("gus")));
    const service = createAppClient(stack.url, clientKey.headers);
    await service.send(`api/devices/${device}`, { method: "DELETE" });
    assert.equal((await storage.everything()).includes(ownerOf("gus")), false);
  });
});
