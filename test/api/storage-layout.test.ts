import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { createAppClient, playAttempt } from "./support/app-client.ts";
import { viewStorage } from "./support/storage-view.ts";

describe("what is stored", () => {
  let stack: Stack;
  let app: ReturnType<typeof createAppClient>;
  let storage: ReturnType<typeof viewStorage>;
  before(async () => {
    stack = await startStack();
    storage = viewStorage(stack.azurite.connectionString);
    app = createAppClient(stack.url);
  });
  after(() => stack.stop());

  test("has the names, keys and properties that the design fixes, and no token", async () => {
    const image = makeImage();
    const form = new FormData();
    form.set("livenessOperationMode", "Passive");
    form.set("deviceCorrelationId", "a/b!");
    form.set("clientReferenceId", "order 7");
    form.set("verifyImage", new File([image], "me.png"));
    const opened = await app.send("face/v1.2/detectLivenessWithVerify-sessions", { method: "POST", body: form });
    const session = opened.body as { sessionId: string; authToken: string };
    const creationId = opened.headers.get("x-reference-image-id") ?? "";
    await playAttempt(stack.emulator, session, { scenario: "realface" });
    await app.send(`face/v1.2/detectLivenessWithVerify-sessions/${session.sessionId}`);

    const device = await storage.rows("sessions");
    const inverted = (createdOn: unknown) =>
      String(9_999_999_999_999 - Date.parse(String(createdOn))).padStart(13, "0");
    const row = device.find(({ rowKey }) => rowKey?.startsWith("s_"));
    assert.ok(row);
    assert.deepEqual(
      device.map(({ partitionKey, rowKey }) => [partitionKey, rowKey]).sort(),
      [
        ["a!2fb!21", `a_${inverted(row.createdOn)}_${creationId}_${"1".padStart(19, "0")}`],
        ["a!2fb!21", "g"],
        ["a!2fb!21", `k_${creationId}`],
        ["a!2fb!21", `s_${inverted(row.createdOn)}_${creationId}`],
      ].sort(),
    );
    assert.deepEqual(
      {
        sessionId: row.sessionId,
        kind: row.kind,
        deviceCorrelationId: row.deviceCorrelationId,
        clientReferenceId: row.clientReferenceId,
        apiVersion: row.apiVersion,
        upstreamVersion: row.upstreamVersion,
        status: row.status,
        final: row.final,
        decision: row.decision,
        attempts: row.attempts,
        referenceImageId: row.referenceImageId,
        idempotencyRowKey: row.idempotencyRowKey,
      },
      {
        sessionId: session.sessionId,
        kind: "livenessWithVerify",
        deviceCorrelationId: "a/b!",
        clientReferenceId: "order 7",
        apiVersion: "v1.2",
        upstreamVersion: "v1.2",
        status: "Succeeded",
        final: true,
        decision: "accepted",
        attempts: 1,
        referenceImageId: creationId,
        idempotencyRowKey: `k_${creationId}`,
      },
    );
    const [pointer] = await storage.rows("sessionids");
    assert.deepEqual(
      [pointer?.partitionKey, pointer?.rowKey, pointer?.partition, pointer?.row, pointer?.ttlSeconds],
      [session.sessionId, session.sessionId, "a!2fb!21", row.rowKey, 600],
    );
    const [due] = await storage.rows("expiry");
    assert.match(due?.partitionKey ?? "", /^[0-9a-f]_\d{12}$/);
    assert.deepEqual(
      [due?.rowKey, due?.phase, due?.partition, due?.row, due?.idempotencyRowKey, due?.partitionKey],
      [creationId, "collect", "a!2fb!21", row.rowKey, `k_${creationId}`, row.expiryPartition],
    );
    const names = await storage.imageNames();
    assert.deepEqual(names, [`sessions/${creationId}`]);
    assert.deepEqual(await storage.images.getBlobClient(names[0] ?? "").downloadToBuffer(), image);

    const everything = await storage.everything();
    assert.equal(everything.includes(session.authToken.slice(-20)), false);
    assert.equal(stack.app.output().includes(session.authToken.slice(-20)), false);
  });

  test("leaves nothing of a creation that the service refused", async () => {
    const before = (await storage.rows("sessions")).length;
    const device = randomUUID();
    const answer = await app.send("face/v1.2/detectLiveness-sessions", {
      json: { livenessOperationMode: "Passive", deviceCorrelationId: device, livenessModelVersion: "" },
    });
    assert.ok(answer.status >= 400);
    assert.equal((await storage.rows("sessions")).length, before);
  });
});
