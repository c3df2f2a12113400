import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Stack, startStack } from "../local/stack.ts";
import { assertError, control, createAppClient, playAttempt } from "./support/app-client.ts";
import { viewStorage } from "./support/storage-view.ts";

const key = "a key";
const path = "face/v1.2/detectLiveness-sessions";

function principal(id: string, roles: string[] = []): Record<string, string> {
  const claims = [{ typ: "oid", val: id }, ...roles.map((val) => ({ typ: "roles", val }))];
  return { "x-ms-client-principal": Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64") };
}

describe("sessions of a signed-in user", () => {
  let stack: Stack;
  before(async () => {
    const digest = createHash("sha256").update(key).digest("hex");
    stack = await startStack({
      env: {
        CLIENT_KEYS: JSON.stringify({ test: [digest] }),
        WEBSITE_AUTH_ENABLED: "true",
        OWNER_CREATION_LIMIT: "2",
      },
    });
  });
  after(() => stack.stop());

  test("OWNER_CREATION_LIMIT counts a user's creations, not those of a service", async () => {
    const service = createAppClient(stack.url, principal("backend", ["Liveness.Service"]));
    for (let count = 0; count < 4; count += 1) await service.openSession();
    const user = createAppClient(stack.url, principal("bob"));
    await user.openSession();
    await user.openSession();
    const third = { json: { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID() } };
    assertError(await user.send(path, third), 429, "429");
  });

  test("a creation that fails at the service with 5xx refunds its place", async () => {
    const user = createAppClient(stack.url, principal("carol"));
    const json = { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), referenceImageId: "unknown" };
    for (let count = 0; count < 4; count += 1) {
      const answer = await user.send("face/v1.2/detectLivenessWithVerify-sessions", { json });
      assertError(answer, 400, "ReferenceImageNotFound");
    }
    await control(stack.emulator, "/faults", { operation: "create", status: 503, times: 3 });
    for (let count = 0; count < 3; count += 1) {
      const { status } = await user.send(path, {
        json: { livenessOperationMode: "Passive", deviceCorrelationId: "c" },
      });
      assert.equal(status, 503);
    }
    await user.openSession();
    await user.openSession();
  });

  test("a creation that the service refuses with 400 keeps its place", async () => {
    const user = createAppClient(stack.url, principal("ines"));
    const device = randomUUID();
    const refused = { json: { livenessOperationMode: "Passive", deviceCorrelationId: device } };
    await control(stack.emulator, "/faults", { operation: "create", status: 400, code: "InvalidImage", times: 2 });
    for (let count = 0; count < 2; count += 1) assertError(await user.send(path, refused), 400, "InvalidImage");
    assertError(await user.send(path, refused), 429, "429");
    const rows = await viewStorage(stack.azurite.connectionString).rows("sessions");
    assert.deepEqual(
      rows.filter(({ partitionKey }) => partitionKey === device).map(({ rowKey }) => rowKey),
      [`g_${createHash("sha256").update("3:aad:ines").digest("hex")}`],
      "no key row is left",
    );
  });

  test("an attempt's image is readable by its owner and by trusted services only", async () => {
    const owner = createAppClient(stack.url, principal("dora"));
    const session = await owner.openSession(randomUUID(), { enableSessionImage: true });
    await playAttempt(stack.emulator, session, { scenario: "realface" });
    const result = await owner.send(`${path}/${session.sessionId}`);
    const image = /"sessionImageId":"([^"]+)"/.exec(JSON.stringify(result.body))?.[1];
    assert.ok(image);
    const imagePath = `face/v1.2/sessionImages/${image}`;
    const statuses = await Promise.all(
      [principal("dora"), { "x-functions-key": key }, principal("eve")].map(
        async (caller) => (await createAppClient(stack.url, caller).send(imagePath)).status,
      ),
    );
    assert.deepEqual(statuses, [200, 200, 404]);
  });

  test("erasing the last session of a user removes every trace of the user", async () => {
    const user = createAppClient(stack.url, principal("gus"));
    const device = randomUUID();
    await user.openSession(device);
    const owner = createHash("sha256").update("3:aad:gus").digest("hex");
    const storage = viewStorage(stack.azurite.connectionString);
    assert.ok((await storage.everything()).includes(owner));
    await createAppClient(stack.url, { "x-functions-key": key }).send(`api/devices/${device}`, { method: "DELETE" });
    assert.equal((await storage.everything()).includes(owner), false);
  });

  test("a query parameter with the name of a path parameter is ignored", async () => {
    const user = createAppClient(stack.url, principal("hal"));
    const { sessionId } = await user.openSession();
    assert.equal((await user.send(`api/sessions/${sessionId}?SESSIONID=x&sessionId=y`)).status, 200);
  });
});
